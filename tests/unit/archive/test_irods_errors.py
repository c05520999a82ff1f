"""Each way in which python-irodsclient fails becomes one class of b2stream's error tree."""

import ssl
from xml.etree.ElementTree import ParseError

import pytest
from irods import exception

from b2stream.archive.irods.errors import code_of, connection_is_lost, is_code, translate, translate_connecting
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

ANSWERS = [
    (exception.CAT_INVALID_AUTHENTICATION(None), Refused),
    (exception.CAT_INVALID_USER(None), Refused),
    (exception.CAT_PASSWORD_EXPIRED(None), Refused),
    (exception.PAM_AUTH_PASSWORD_FAILED(None), Refused),
    (exception.SYS_RESC_DOES_NOT_EXIST(None), ConfigurationError),
    (exception.CAT_NO_ACCESS_PERMISSION(None), AccessRefused),
    (exception.SYS_NO_API_PRIV(None), AccessRefused),
    (KeyError(-121000), AccessRefused),
    (exception.USER_CHKSUM_MISMATCH(None), DamagedObject),
    (KeyError(-166000), DamagedObject),
    (KeyError(-401000), DamagedObject),
    (exception.get_exception_by_code(-510002, None), DamagedObject),
    (exception.get_exception_by_code(-510013, None), AccessRefused),
    (exception.get_exception_by_code(-512028, None), Stuck),
    (exception.get_exception_by_code(-511036, None), Stuck),
    (exception.OBJ_PATH_DOES_NOT_EXIST(None), MissingObject),
    (exception.CAT_NO_ROWS_FOUND(None), MissingObject),
    (exception.DataObjectDoesNotExist(), MissingObject),
    (exception.CollectionDoesNotExist(), MissingObject),
    (exception.CAT_NAME_EXISTS_AS_COLLECTION(None), PlaceTaken),
    (exception.CAT_NAME_EXISTS_AS_DATAOBJ(None), PlaceTaken),
    (exception.SYS_RESC_QUOTA_EXCEEDED(None), Stuck),
    (exception.LOCKED_DATA_OBJECT_ACCESS(None), Stuck),
    (exception.HIERARCHY_ERROR(None), Stuck),
    (KeyError(-405000), Stuck),
    (KeyError(-154000), Stuck),
    (KeyError(-146000), Stuck),
    (KeyError(-987654000), Stuck),
    (exception.UnknowniRODSError(None), Stuck),
    (exception.OperationNotSupported(), Stuck),
    (AttributeError("'NoneType' object has no attribute 'fill'"), DamagedObject),
    (ParseError("not well-formed"), Stuck),
    (KeyError("replica_token"), Stuck),
    (ValueError("what the client could not read"), Stuck),
]

SILENCE = [
    exception.NetworkException("Could not receive server response"),
    exception.NetworkException("Unable to send message"),
    ConnectionResetError(),
    TimeoutError(),
    BrokenPipeError(),
    EOFError(),
    ssl.SSLError("decryption failed"),
    AttributeError("'NoneType' object has no attribute 'sendall'"),
    exception.SYS_RESC_IS_DOWN(None),
    exception.CAT_CONNECT_ERR(None),
    KeyError(-118000),
]


@pytest.mark.parametrize("changes", [True, False])
@pytest.mark.parametrize(("error", "expected"), ANSWERS, ids=lambda value: repr(value)[:60])
def test_an_answer_that_refuses_keeps_its_class_whatever_was_asked(
    error: Exception, expected: type[B2streamError], changes: bool
) -> None:
    ours = translate(error, "placing a/b at csc", changes=changes)
    assert type(ours) is expected
    assert "placing a/b at csc" in str(ours)


@pytest.mark.parametrize("error", SILENCE, ids=lambda value: repr(value)[:60])
def test_silence_is_retryable_and_a_lost_reply_where_something_may_have_changed(error: Exception) -> None:
    assert type(translate(error, "asking", changes=False)) is Retryable
    assert type(translate(error, "placing", changes=True)) is LostReply


def test_every_class_and_every_missing_class_of_the_client_is_translated() -> None:
    codes = set(exception.iRODSExceptionMeta.codes) | set(range(-1_900_000, 0, 1000))
    for code in codes:
        try:
            error: Exception = exception.get_exception_by_code(code, None)
        except KeyError as unknown:
            error = unknown
        assert isinstance(translate(error, "asking", changes=True), B2streamError)


def test_the_message_names_the_code_and_what_the_server_said() -> None:
    said = exception.get_exception_by_code(-814000, "collection '/a' is unknown")
    assert "CAT_UNKNOWN_COLLECTION -814000 collection '/a' is unknown" in str(translate(said, "placing", changes=True))
    assert "INTERMEDIATE_REPLICA_ACCESS -405000" in str(translate(KeyError(-405000), "placing", changes=True))


def test_codes_are_compared_without_their_errno() -> None:
    error = exception.get_exception_by_code(-510002, None)
    assert code_of(error) == -510002
    assert is_code(error, -510000)
    assert not is_code(error, -511000)
    assert is_code(KeyError(-405000), -405000)
    assert code_of(KeyError("a name")) is None
    assert code_of(KeyError()) is None


@pytest.mark.parametrize("error", SILENCE[:8], ids=lambda value: repr(value)[:60])
def test_after_silence_a_connection_is_not_used_again(error: Exception) -> None:
    assert connection_is_lost(error)


@pytest.mark.parametrize("error", [KeyError(-154000), exception.CAT_NO_ACCESS_PERMISSION(None)], ids=repr)
def test_after_an_answer_a_connection_is_used_again(error: Exception) -> None:
    assert not connection_is_lost(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (exception.NetworkException("Client-Server negotiation failure: CS_NEG_REQUIRE,CS_NEG_REFUSE"), ConfigurationError),
        (ssl.SSLCertVerificationError("self-signed certificate"), ConfigurationError),
        (RuntimeError("pam_password auth scheme requires secure communications (TLS/SSL)"), ConfigurationError),
        (exception.NetworkException("Could not connect to specified host and port: a:1247"), Retryable),
        (ConnectionRefusedError(), Retryable),
        (exception.CAT_INVALID_AUTHENTICATION(None), Refused),
    ],
)  # fmt: skip
def test_connecting_tells_configuration_from_an_outage(error: Exception, expected: type[B2streamError]) -> None:
    assert type(translate_connecting(error, "asking")) is expected


def test_our_own_errors_pass_as_they_are() -> None:
    error = PlaceTaken("a")
    assert translate(error, "asking", changes=True) is error
