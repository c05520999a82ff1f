"""The numbers of the iRODS protocol: calls, states and error codes.

They are facts of the protocol (iRODS 5.0.2: `apiNumberData.h`, `rodsErrorTable.h`), written down here so that the zone
needs no iRODS package. A name is the one iRODS uses, so that a search for it finds its documentation.
"""

from enum import IntEnum


class Api(IntEnum):
    """The calls that this zone answers; any other number gets SYS_UNMATCHED_API_NUM."""

    DATA_OBJ_CREATE = 601
    DATA_OBJ_OPEN = 602
    DATA_OBJ_UNLINK = 615
    MOD_DATA_OBJ_META = 622
    DATA_OBJ_RENAME = 627
    DATA_OBJ_CHKSUM = 629
    DATA_OBJ_CLOSE = 673
    DATA_OBJ_LSEEK = 674
    DATA_OBJ_READ = 675
    DATA_OBJ_WRITE = 676
    RM_COLL = 679
    COLL_CREATE = 681
    DATA_OBJ_COPY = 696
    GEN_QUERY = 702
    MOD_AVU_METADATA = 706
    MOD_ACCESS_CONTROL = 707
    GENQUERY2 = 10221
    GET_FILE_DESCRIPTOR_INFO = 20000
    ATOMIC_APPLY_METADATA_OPERATIONS = 20002
    REPLICA_CLOSE = 20004
    AUTHENTICATION = 110000


class ReplicaStatus(IntEnum):
    """`data_is_dirty` in the catalogue."""

    STALE = 0
    GOOD = 1
    INTERMEDIATE = 2


class Code(IntEnum):
    """Error codes; those of the UNIX_FILE family have the errno subtracted (see `file_error`)."""

    SYS_UNMATCHED_API_NUM = -12000
    SYS_NO_API_PRIV = -13000
    SYS_FILE_DESC_OUT_OF_RANGE = -19000
    SYS_RESC_DOES_NOT_EXIST = -78000
    SYS_INVALID_INPUT_PARAM = -130000
    SYS_INTERNAL_ERR = -154000
    SYS_BAD_INPUT = -158000
    SYS_LIBRARY_ERROR = -167000
    USER_PACKSTRUCT_INPUT_ERR = -308000
    USER_CHKSUM_MISMATCH = -314000
    USER_INPUT_PATH_ERR = -317000
    OBJ_PATH_DOES_NOT_EXIST = -358000
    USER_FILE_SIZE_MISMATCH = -401000
    INTERMEDIATE_REPLICA_ACCESS = -405000
    LOCKED_DATA_OBJECT_ACCESS = -406000
    CHECK_VERIFICATION_RESULTS = -407000
    UNIX_FILE_OPEN_ERR = -510000
    UNIX_FILE_CREATE_ERR = -511000
    UNIX_FILE_READ_ERR = -512000
    UNIX_FILE_WRITE_ERR = -513000
    UNIX_FILE_STAT_ERR = -516000
    UNIX_FILE_RENAME_ERR = -525000
    CAT_SQL_ERR = -806000
    CAT_NO_ROWS_FOUND = -808000
    CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME = -809000
    CAT_UNKNOWN_COLLECTION = -814000
    CAT_INVALID_ARGUMENT = -816000
    CAT_UNKNOWN_FILE = -817000
    CAT_NO_ACCESS_PERMISSION = -818000
    CAT_SUCCESS_BUT_WITH_NO_INFO = -819000
    CAT_COLLECTION_NOT_EMPTY = -821000
    CAT_UNKNOWN_TABLE = -823000
    CAT_FAILED_TO_LINK_TABLES = -825000
    CAT_INVALID_AUTHENTICATION = -826000
    CAT_INVALID_USER = -827000
    CAT_NAME_EXISTS_AS_COLLECTION = -833000
    CAT_NAME_EXISTS_AS_DATAOBJ = -834000
    CAT_RECURSIVE_MOVE = -837000
    CAT_NO_CHECKSUM_FOR_REPLICA = -862000
    HIERARCHY_ERROR = -1803000


class Refusal(Exception):
    """The answer to this call is an error code.

    `message` goes into the reply's error part (what a client shows as the exception's text), `body` into its main part.
    """

    def __init__(self, code: int, message: str = "", *, status: int = 0, body: str = ""):
        super().__init__(code, message)
        self.code = int(code)
        self.message = message
        self.status = status
        self.body = body


def file_error(code: Code, error: OSError) -> int:
    """The code iRODS answers for a failed file operation: the family minus the errno, e.g. -510002."""
    return int(code) - (error.errno or 0)
