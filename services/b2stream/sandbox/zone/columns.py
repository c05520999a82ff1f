"""The columns and tables that queries know: GenQuery's numbers and names, and how the tables join.

Numbers and names are iRODS's (`rodsGenQuery.h`, `icatColumns`); tables that appear in two roles have an alias for each.
"""

from typing import NamedTuple


class Column(NamedTuple):
    """One column: its table's alias, its SQL, and its name in GenQuery."""

    table: str
    sql: str
    name: str


def _table(alias: str, first: str) -> dict[int, Column]:
    """Columns written as `number NAME sql_column`, one a line."""
    columns = {}
    for line in first.strip().splitlines():
        number, name, sql = line.split()
        columns[int(number)] = Column(alias, f"{alias}.{sql}", name)
    return columns


COLUMNS: dict[int, Column] = {
    **_table("zone", "101 ZONE_ID zone_id\n102 ZONE_NAME zone_name\n103 ZONE_TYPE zone_type_name"),
    **_table(
        "user",
        """
        201 USER_ID user_id
        202 USER_NAME user_name
        203 USER_TYPE user_type_name
        204 USER_ZONE zone_name
        206 USER_INFO user_info
        207 USER_COMMENT r_comment
        208 USER_CREATE_TIME create_ts
        209 USER_MODIFY_TIME modify_ts""",
    ),
    **_table(
        "resc",
        """
        301 RESC_ID resc_id
        302 RESC_NAME resc_name
        303 RESC_ZONE_NAME zone_name
        304 RESC_TYPE_NAME resc_type_name
        305 RESC_CLASS_NAME resc_class_name
        306 RESC_LOC resc_net
        307 RESC_VAULT_PATH resc_def_path
        308 RESC_FREE_SPACE free_space
        310 RESC_COMMENT r_comment
        311 RESC_CREATE_TIME create_ts
        312 RESC_MODIFY_TIME modify_ts
        313 RESC_STATUS resc_status
        314 RESC_FREE_SPACE_TIME free_space_ts
        315 RESC_CHILDREN resc_children
        316 RESC_CONTEXT resc_context
        317 RESC_PARENT resc_parent
        318 RESC_PARENT_CONTEXT resc_parent_context
        409 DATA_RESC_NAME resc_name
        422 DATA_RESC_HIER resc_name""",
    ),
    **_table(
        "data",
        """
        401 DATA_ID data_id
        402 DATA_COLL_ID coll_id
        403 DATA_NAME data_name
        404 DATA_REPL_NUM data_repl_num
        405 DATA_VERSION data_version
        406 DATA_TYPE_NAME data_type_name
        407 DATA_SIZE data_size
        410 DATA_PATH data_path
        411 DATA_OWNER_NAME data_owner_name
        412 DATA_OWNER_ZONE data_owner_zone
        413 DATA_REPL_STATUS data_is_dirty
        414 DATA_STATUS data_status
        415 DATA_CHECKSUM data_checksum
        416 DATA_EXPIRY data_expiry_ts
        417 DATA_MAP_ID data_map_id
        418 DATA_COMMENTS r_comment
        419 DATA_CREATE_TIME create_ts
        420 DATA_MODIFY_TIME modify_ts
        423 DATA_RESC_ID resc_id
        424 DATA_ACCESS_TIME access_ts""",
    ),
    **_table(
        "coll",
        """
        500 COLL_ID coll_id
        501 COLL_NAME coll_name
        502 COLL_PARENT_NAME parent_coll_name
        503 COLL_OWNER_NAME coll_owner_name
        504 COLL_OWNER_ZONE coll_owner_zone
        505 COLL_MAP_ID coll_map_id
        506 COLL_INHERITANCE coll_inheritance
        507 COLL_COMMENTS r_comment
        508 COLL_CREATE_TIME create_ts
        509 COLL_MODIFY_TIME modify_ts""",
    ),
    **_table(
        "data_meta",
        """
        600 META_DATA_ATTR_NAME meta_attr_name
        601 META_DATA_ATTR_VALUE meta_attr_value
        602 META_DATA_ATTR_UNITS meta_attr_unit
        603 META_DATA_ATTR_ID meta_id
        604 META_DATA_CREATE_TIME create_ts
        605 META_DATA_MODIFY_TIME modify_ts""",
    ),
    **_table(
        "coll_meta",
        """
        610 META_COLL_ATTR_NAME meta_attr_name
        611 META_COLL_ATTR_VALUE meta_attr_value
        612 META_COLL_ATTR_UNITS meta_attr_unit
        613 META_COLL_ATTR_ID meta_id
        614 META_COLL_CREATE_TIME create_ts
        615 META_COLL_MODIFY_TIME modify_ts""",
    ),
    **_table("data_access", "700 DATA_ACCESS_TYPE access_type_id\n703 DATA_ACCESS_USER_ID user_id"),
    **_table("data_access", "704 DATA_ACCESS_DATA_ID object_id"),
    **_table("data_token", "701 DATA_ACCESS_NAME token_name\n702 DATA_TOKEN_NAMESPACE token_namespace"),
    **_table("coll_access", "710 COLL_ACCESS_TYPE access_type_id\n713 COLL_ACCESS_USER_ID user_id"),
    **_table("coll_access", "714 COLL_ACCESS_COLL_ID object_id"),
    **_table("coll_token", "711 COLL_ACCESS_NAME token_name\n712 COLL_TOKEN_NAMESPACE token_namespace"),
    **_table("user_group", "900 USER_GROUP_ID user_id\n901 USER_GROUP_NAME user_name"),
    **_table("coll_user", "1300 COLL_USER_NAME user_name\n1301 COLL_USER_ZONE zone_name"),
}

BY_NAME: dict[str, int] = {column.name: number for number, column in COLUMNS.items()}

# What stands behind an alias.
TABLES: dict[str, str] = {
    "zone": "r_zone_main",
    "user": "r_user_main",
    "resc": "r_resc_main",
    "data": "r_data_main",
    "coll": "r_coll_main",
    "data_map": "r_objt_metamap",
    "data_meta": "r_meta_main",
    "coll_map": "r_objt_metamap",
    "coll_meta": "r_meta_main",
    "data_access": "r_objt_access",
    "data_token": "r_tokn_main",
    "coll_access": "r_objt_access",
    "coll_token": "r_tokn_main",
    "membership": "r_user_group",
    "user_group": "r_user_main",
    "coll_user": "r_user_main",
}

# How two tables join. The aliases of a table's AVUs can be repeated with a number (`data_map2`, `data_meta2`).
LINKS: list[tuple[str, str, str]] = [
    ("data", "coll", "data.coll_id = coll.coll_id"),
    ("data", "resc", "data.resc_id = resc.resc_id"),
    ("data", "data_map", "data_map.object_id = data.data_id"),
    ("data_map", "data_meta", "data_meta.meta_id = data_map.meta_id"),
    ("coll", "coll_map", "coll_map.object_id = coll.coll_id"),
    ("coll_map", "coll_meta", "coll_meta.meta_id = coll_map.meta_id"),
    ("data", "data_access", "data_access.object_id = data.data_id"),
    ("data_access", "data_token", "data_token.token_id = data_access.access_type_id"),
    ("data_access", "user", "user.user_id = data_access.user_id"),
    ("coll", "coll_access", "coll_access.object_id = coll.coll_id"),
    ("coll_access", "coll_token", "coll_token.token_id = coll_access.access_type_id"),
    ("coll_access", "coll_user", "coll_user.user_id = coll_access.user_id"),
    ("user", "membership", "membership.user_id = user.user_id"),
    ("membership", "user_group", "user_group.user_id = membership.group_user_id"),
]
