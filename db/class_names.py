"""Characters that no name of a class has: some format of a dataset could not write them."""

import re

UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Characters that XML, UTF-8 or a line of text cannot have."""
