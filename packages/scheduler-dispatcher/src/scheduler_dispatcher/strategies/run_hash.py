"""Numbers that look like chance and are always the same for the same run."""

from hashlib import blake2b

_MASK = (1 << 64) - 1


def number_hash(number: int) -> int:
    """64 bits of which each depends on every bit of the number (the finalizer of splitmix64).

    >>> number_hash(1) == number_hash(1), number_hash(1) % 7 == number_hash(2) % 7
    (True, False)
    """
    mixed = (number + 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


def text_hash(*texts: str) -> int:
    """64 bits for these texts in this order, the same in every process.

    >>> text_hash("a", "b") == text_hash("ab"), 0 <= text_hash("a") < 2 ** 64
    (False, True)
    """
    # NUL is in no name and in no text that the database keeps.
    return int.from_bytes(blake2b("\0".join(texts).encode(errors="surrogatepass"), digest_size=8).digest())
