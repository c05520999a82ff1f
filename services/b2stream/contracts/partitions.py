"""Which partition a station's messages go to: one function, passed explicitly by every producer.

librdkafka's default partitioner is CRC32, Java's and Faust's is murmur2; they disagree for nearly every station name.
"""

_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, unsigned, with the seed of Kafka's Java client (`org.apache.kafka.common.utils.Utils.murmur2`)."""
    state = _SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        state = (state * _MULTIPLIER & _MASK) ^ word
    if whole < len(data):
        state = (state ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    state = (state ^ state >> 13) * _MULTIPLIER & _MASK
    return state ^ state >> 15


def partition_of(station: str, count: int) -> int:
    """The partition, 0 to count-1, of a station's blocks, closes, abandonments, commit and replica events."""
    assert count > 0
    return (murmur2(station.encode()) & 0x7FFFFFFF) % count
