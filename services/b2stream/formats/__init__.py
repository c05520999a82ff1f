"""Input formats, one file each. What a format must offer stands in `base.py`; `registry.py` finds them all, for gateway and reader."""
