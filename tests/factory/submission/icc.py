"""Small ICC profiles, written here because published ones have licences of their own."""

import struct

D50 = (0.9642, 1.0, 0.8249)
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
"""Red, green and blue as XYZ, adapted to D50."""


def _xyz(values):
    numbers = (round(value * 65536) for value in values)
    return b"XYZ " + bytes(4) + struct.pack(">3i", *numbers)


def _gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def _text(text):
    content = text.encode() + b"\0"
    tag = b"desc" + bytes(4) + struct.pack(">I", len(content)) + content + bytes(78)
    return tag + bytes(-len(tag) % 4)


def _cmyk_table(lightness):
    """Lab for each corner of the CMYK cube: a neutral grey that depends on the sum of the inks."""
    head = struct.pack(">4B", 4, 3, 2, 0)
    unit = struct.pack(">9i", *(65536 * (row == column) for row in range(3) for column in range(3)))
    curve = bytes(range(256))
    corners = b"".join(bytes((lightness(corner.bit_count()), 128, 128)) for corner in range(16))
    table = b"mft1" + bytes(4) + head + unit + curve * 4 + corners + curve * 3
    return table + bytes(-len(table) % 4)


def profile(space, kind, tags, *, connection=b"XYZ "):
    """Return a profile of version 2."""
    tags = {b"desc": _text("test"), b"wtpt": _xyz(D50), **tags}
    table, content = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(content), len(tag))
        content += tag
    size = start + len(content)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, kind, space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return head.ljust(128, b"\0") + table + content


def display_p3():
    colours = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, DISPLAY_P3), strict=True))
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(2.2))
    return profile(b"RGB ", b"mntr", colours | curves)


def linear_grey():
    return profile(b"GRAY", b"mntr", {b"kTRC": _gamma(1.0)})


def cmyk():
    """No ink is white, one full ink is L = 25 % of white and less, all inks are black."""
    table = _cmyk_table(lambda inks: (255, 64, 32, 16, 0)[inks])
    return profile(b"CMYK", b"prtr", {b"A2B0": table, b"A2B1": table}, connection=b"Lab ")
