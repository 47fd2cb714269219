# SPDX-License-Identifier: Apache-2.0
"""What the lints know about C: files, comments, functions, parameters.

The source follows .clang-format, so a function is found by its braces: a line that is just "{" opens its
body, a line that is just "}" closes it. No C parser is needed, and what does not follow the format is found
by check-format.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

SOURCE_DIRS = ("runtime", "net", "images")


@dataclass
class Function:
    """A function definition. Lines count from 1; @first is the start of its signature."""
    name: str
    path: str
    first: int
    last: int
    signature: str
    body: str
    doc: str
    static: bool
    void: bool
    params: list = field(default_factory=list)

    @property
    def lines(self):
        """Lines from signature to closing brace."""
        return self.last - self.first + 1


def read(root, path):
    """Return the text of @path below @root."""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def files(root, suffixes, dirs=SOURCE_DIRS):
    """Return the paths below @root, sorted, whose names end in one of @suffixes."""
    found = []
    for top in dirs:
        for here, _, names in os.walk(os.path.join(root, top)):
            found += [os.path.relpath(os.path.join(here, n), root) for n in names if n.endswith(suffixes)]
    return sorted(found)


def blank_out(text):
    """Replace comments and literals by blanks of the same length, so that places stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def split_params(text):
    """Split a parameter list at its top-level commas."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [part.strip() for part in parts + [current] if part.strip() not in ("", "void")]


def param_name(param):
    """Return the name in one parameter declaration; "..." for varargs."""
    pointer = re.search(r"\(\s*\*\s*(\w+)", param)  # int (*fn)(void)
    if param == "..." or pointer:
        return pointer.group(1) if pointer else "..."
    return re.search(r"(\w+)\s*(?:\[[^]]*\]\s*)*$", param).group(1)


def parse_signature(signature):
    """Return (name, params, static, void) of a function's signature."""
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", " ".join(signature.split()))
    head = re.match(r"(.*?)\b(\w+)\s*\(", text)
    depth, end = 1, head.end()
    while depth:
        depth += (text[end] == "(") - (text[end] == ")")
        end += 1
    words = [w for w in head.group(1).split() if w not in ("static", "inline", "extern", "_Noreturn")]
    params = [param_name(p) for p in split_params(text[head.end():end - 1])]
    return head.group(2), params, "static" in head.group(1).split(), words == ["void"]


def doc_before(lines, first):
    """Return the comment that ends on the line above line @first (0-based), or ""."""
    last = first - 1
    if last < 0 or not lines[last].rstrip().endswith("*/"):
        return ""
    start = last
    while start > 0 and not lines[start].lstrip().startswith("/*"):
        start -= 1
    return "\n".join(lines[start:last + 1])


def functions(root, path):
    """Return all functions that @path defines."""
    text = read(root, path)
    lines, bare = text.split("\n"), blank_out(text).split("\n")
    found = []
    for opening, line in enumerate(bare):
        if line.rstrip() != "{":
            continue
        first = opening
        while first > 0 and bare[first - 1].strip() and not re.match(r"[#}]|.*;\s*$", bare[first - 1]):
            first -= 1
        signature = "\n".join(bare[first:opening])
        if "(" not in signature:
            continue
        last = next(i for i in range(opening, len(bare)) if bare[i].startswith("}"))
        name, params, static, void = parse_signature(signature)
        found.append(Function(name, path, first + 1, last + 1, signature,
                              "\n".join(bare[opening:last + 1]), doc_before(lines, first), static, void,
                              params))
    return found


def report(tool, problems):
    """Print @problems, each "path:line: what". Return the exit status."""
    for problem in problems:
        print(f"{tool}: {problem}")
    return 1 if problems else 0


def self_test(tool, check, plants):
    """Check that each of @plants is caught.

    A plant is ({path: text, ...}, words of the expected problem); None as words: no problem may be found.
    """
    failed = 0
    for tree, words in plants:
        root = tempfile.mkdtemp(prefix="sbrun-lint-")
        for path, text in tree.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        problems = check(root)
        shutil.rmtree(root)
        if (words is None and problems) or (words and not any(words in p for p in problems)):
            print(f"{tool}: self-test: expected {words!r}, got {problems}")
            failed = 1
    return failed


def main(tool, check, plants):
    """Run a lint: over the tree that holds tools/, or its self-test."""
    sys.dont_write_bytecode = True
    if sys.argv[1:] == ["--self-test"]:
        return self_test(tool, check, plants)
    return report(tool, check(os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))))


def tool_flags(*packages):
    """Return the compiler flags of those pkg-config @packages that are installed."""
    flags = []
    for package in packages:
        result = subprocess.run(["pkg-config", "--cflags", package], capture_output=True, text=True,
                                check=False)
        flags += result.stdout.split()
    return flags
