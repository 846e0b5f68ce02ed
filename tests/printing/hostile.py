"""Text that somebody hostile would put into a name."""

from __future__ import annotations

from hypothesis import strategies as st

from provisioner import names

COMMANDS = (
    "::error::x",
    "::add-mask::x",
    "\u3000::set-output name=a::b",
    "##[group]x",
    "##vso[task.setvariable variable=a]b",
    "##teamcity[buildStop comment='x']",
    "section_start:1560896352:x",
    "section_end:1:x",
    "travis_fold:start:x",
    "travis_time:end:x",
    "--- x",
    "+++ x",
    "~~~ x",
    "^^^ +++",
)
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "a;=1+1",
    "a;+1",
    'a; "@x',
)
FORGED = "FORGED"
CONTROLS = (
    "\x1b[2J",
    "\x1b[8mhidden",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u202e",
    "\u2066",
    "\u200b",
    "\r",
    f"\n{FORGED} Apply complete",
    f"\r\n{FORGED}",
    f"\x85{FORGED}",
    f"\u2028{FORGED}",
    "\n::error::x",
    "\t",
    "\x00",
    "\udcff",
    "\ufeff",
    "\ue000",
    "\U000e0041",
)
PLAIN = (
    "a",
    " ",
    "B\xfcro",
    "\u6f22",
    "\u20ac",
    "\U0001f600",
    "\u2192",
    "`",
    '"',
    "'",
    "\\x41",
    "\\",
    "#",
    "##",
    ":",
    "[",
    "x]",
    ", ",
    "; ",
    "Big Boss",
)

ONE_LINE = st.lists(st.sampled_from(COMMANDS + FORMULAS + PLAIN), min_size=1, max_size=4).map(
    "".join
)
ANY_TEXT = st.one_of(
    st.lists(st.sampled_from(COMMANDS + FORMULAS + PLAIN + CONTROLS), min_size=1, max_size=5).map(
        "".join
    ),
    st.text(max_size=30),
)
# What sources may call a role or a user.
NAME = ONE_LINE.map(str.strip).filter(lambda text: names.flaw(text) is None and "*" not in text)
EVERYTHING = " ".join(COMMANDS + FORMULAS + CONTROLS)
EACH = COMMANDS + FORMULAS + CONTROLS
ENCODINGS = (
    "utf-8",
    "ascii",
    "latin-1",
    "cp1252",
    "koi8-r",
    "euc_jp",
    "shift_jis",
    "gb18030",
    "iso2022_jp",
)
