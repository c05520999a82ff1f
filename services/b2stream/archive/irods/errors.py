"""Every way in which python-irodsclient 3.3.0 fails, translated to b2stream's error tree, in one place.

The client has no single root of its errors: server codes come as `iRODSException` subclasses with `.code`, 246 of 698 codes come
as a bare `KeyError(code)` because the client has no class for them, `NetworkException` and the `DoesNotExist` family have no
code, a checksum that does not match can end in `AttributeError`, a control character in a name in `ParseError`, and
sockets and TLS raise their own. Codes carry an errno in their low three digits (-510002 is -510000 and ENOENT).

The rule: nobody answered is Retryable (LostReply where something may have been changed), an answer that refuses is Stuck.
"""

import errno
import ssl
from xml.etree.ElementTree import ParseError

from irods import exception as irods_exception

from b2stream.errors import (
    AccessRefused,
    B2streamError,
    ConfigurationError,
    DamagedObject,
    LostReply,
    MissingObject,
    PlaceTaken,
    Refused,
    Retryable,
    Stuck,
)

SYS_SVR_TO_SVR_CONNECT_FAILED = -22000
HIERARCHY_ERROR = -1803000
CAT_NO_ROWS_FOUND = -808000
CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME = -809000
CAT_UNKNOWN_COLLECTION = -814000
CAT_UNKNOWN_FILE = -817000
CAT_NAME_EXISTS_AS_COLLECTION = -833000
CAT_NAME_EXISTS_AS_DATAOBJ = -834000
OBJ_PATH_DOES_NOT_EXIST = -358000
USER_FILE_DOES_NOT_EXIST = -310000

_NAMES_THE_CLIENT_LACKS = {
    -118000: "SYS_MAX_CONNECT_COUNT_EXCEEDED",
    -121000: "SYS_USER_NO_PERMISSION",
    -146000: "SYS_NOT_IMPLEMENTED",
    -154000: "SYS_INTERNAL_ERR",
    -165000: "SYS_UNKNOWN_ERROR",
    -166000: "SYS_NO_GOOD_REPLICA",
    -401000: "USER_FILE_SIZE_MISMATCH",
    -405000: "INTERMEDIATE_REPLICA_ACCESS",
}

_CLASSES: dict[type[B2streamError], tuple[int, ...]] = {
    Refused: (
        -301000,  # USER_AUTH_STRING_EMPTY
        -319000,  # USER_INVALID_USERNAME_FORMAT
        -826000,  # CAT_INVALID_AUTHENTICATION: wrong or empty password
        -827000,  # CAT_INVALID_USER: unknown user, or unknown zone of the user
        -840000,  # CAT_PASSWORD_EXPIRED
        -910000,  # REMOTE_SERVER_AUTHENTICATION_FAILURE
        -993000,  # PAM_AUTH_PASSWORD_FAILED
        -994000,  # PAM_AUTH_PASSWORD_INVALID_TTL
    ),
    ConfigurationError: (
        -78000,  # SYS_RESC_DOES_NOT_EXIST
        -300000,  # USER_AUTH_SCHEME_ERR
        -992000,  # PAM_AUTH_NOT_BUILT_INTO_SERVER
    ),
    AccessRefused: (
        -13000,  # SYS_NO_API_PRIV
        -36000,  # SYS_NO_PATH_PERMISSION
        -39000,  # SYS_PROXYUSER_NO_PRIV
        -40000,  # SYS_NO_DATA_OBJ_PERMISSION
        -121000,  # SYS_USER_NO_PERMISSION
        -818000,  # CAT_NO_ACCESS_PERMISSION
        -830000,  # CAT_INSUFFICIENT_PRIVILEGE_LEVEL
    ),
    MissingObject: (
        USER_FILE_DOES_NOT_EXIST,
        OBJ_PATH_DOES_NOT_EXIST,
        CAT_NO_ROWS_FOUND,
        CAT_UNKNOWN_COLLECTION,
        CAT_UNKNOWN_FILE,
    ),
    DamagedObject: (
        -166000,  # SYS_NO_GOOD_REPLICA
        -314000,  # USER_CHKSUM_MISMATCH
        -401000,  # USER_FILE_SIZE_MISMATCH
        -407000,  # CHECK_VERIFICATION_RESULTS
        -862000,  # CAT_NO_CHECKSUM_FOR_REPLICA
    ),
    PlaceTaken: (CAT_NAME_EXISTS_AS_COLLECTION, CAT_NAME_EXISTS_AS_DATAOBJ),
    Retryable: (  # an answer, but one that says that somebody behind it did not answer
        -1000,  # SYS_SOCK_OPEN_ERR
        -3000,  # SYS_SOCK_ACCEPT_ERR
        -4000,  # SYS_HEADER_READ_LEN_ERR
        -5000,  # SYS_HEADER_WRITE_LEN_ERR
        -9000,  # SYS_EXCEED_CONNECT_CNT
        SYS_SVR_TO_SVR_CONNECT_FAILED,
        -38000,  # SYS_AGENT_INIT_ERR
        -86000,  # SYS_UDP_CONNECT_ERR
        -92000,  # CROSS_ZONE_SOCK_CONNECT_ERR
        -105000,  # SYS_RESC_IS_DOWN
        -115000,  # SYS_SOCK_READ_TIMEDOUT
        -116000,  # SYS_SOCK_READ_ERR
        -118000,  # SYS_MAX_CONNECT_COUNT_EXCEEDED
        -305000,  # USER_SOCK_CONNECT_ERR
        -347000,  # USER_SOCK_CONNECT_TIMEDOUT
        -801000,  # CATALOG_NOT_CONNECTED
        -803000,  # CAT_CONNECT_ERR
        -804000,  # CAT_DISCONNECT_ERR
    ),
}
_CLASS_OF = {code: kind for kind, codes in _CLASSES.items() for code in codes}


def code_of(error: BaseException) -> int | None:
    """The server's code, errno digits included; None where the server gave none."""
    if isinstance(error, irods_exception.iRODSException):
        code = getattr(error, "code", None)
        return code if isinstance(code, int) else None
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], int) and error.args[0] < 0:
        return error.args[0]
    return None


def without_errno(code: int) -> int:
    """-510002 is -510000."""
    return -(-code // 1000) * 1000


def is_code(error: BaseException, *codes: int) -> bool:
    """Whether the server answered with one of these codes, whatever the errno digits."""
    code = code_of(error)
    return code is not None and without_errno(code) in codes


def connection_is_lost(error: BaseException) -> bool:
    """Whether the stream of messages can no longer be trusted, so that the connection must not be used again."""
    return code_of(error) is None and not isinstance(error, irods_exception.DoesNotExist)


def translate(error: BaseException, about: str, *, changes: bool) -> B2streamError:
    """The b2stream error for what the client raised while doing `about`. `changes`: the call may have changed something."""
    if isinstance(error, B2streamError):
        return error
    code = code_of(error)
    if code is not None:
        return _of_code(code, f"{about}: {_named(code, error)}", changes=changes)
    detail = f"{about}: {type(error).__name__}: {error}"
    if isinstance(error, irods_exception.DoesNotExist):
        return MissingObject(detail)
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(f"{detail}; name the centre's CA file")
    if isinstance(error, irods_exception.NetworkException) and "negotiation failure" in str(error):
        return ConfigurationError(f"{detail}; client and server do not agree on TLS")
    if isinstance(error, irods_exception.NetworkException | OSError | EOFError):
        return LostReply(detail) if changes else Retryable(detail)
    if isinstance(error, AttributeError):
        # `'NoneType' object has no attribute 'fill'`: a checksum that does not hold, in `chksum`. Any other: the socket is gone.
        if "'fill'" in str(error):
            return DamagedObject(detail)
        return LostReply(detail) if changes else Retryable(detail)
    if isinstance(error, ParseError):
        return Stuck(f"{detail}; a name or value with a control character cannot be read")
    return Stuck(detail)


def translate_connecting(error: BaseException, about: str) -> B2streamError:
    """The same for opening a connection: what the client itself objects to is configuration."""
    ours = translate(error, about, changes=False)
    if type(ours) is Stuck and isinstance(error, ValueError | RuntimeError | ssl.SSLError | TypeError):
        return ConfigurationError(ours.detail)
    if type(ours) is Retryable and isinstance(error, FileNotFoundError | PermissionError):
        return ConfigurationError(ours.detail)
    return ours


def _of_code(code: int, detail: str, *, changes: bool) -> B2streamError:
    operating_system = -code % 1000
    kind = _CLASS_OF.get(without_errno(code), Stuck)
    if kind is Stuck and -code // 100_000 == 5:  # UNIX_FILE_*: the storage of the centre
        if operating_system == errno.ENOENT:
            kind = DamagedObject  # the catalogue knows a file that the storage lost
        elif operating_system in (errno.EACCES, errno.EPERM):
            kind = AccessRefused
    if kind is Retryable and changes:
        return LostReply(detail)
    return kind(detail)


def _named(code: int, error: BaseException) -> str:
    rounded = without_errno(code)
    known = irods_exception.iRODSExceptionMeta.codes.get(rounded)
    name = known.__name__ if known is not None else _NAMES_THE_CLIENT_LACKS.get(rounded, "an iRODS error")
    said = str(error) if not isinstance(error, KeyError) else ""
    return f"{name} {code}" + (f" {said}" if said and said != "None" else "")
