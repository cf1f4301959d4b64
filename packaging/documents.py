#!/usr/bin/python3
"""Puts the documentation and its pictures into one folder, with links that work there.

    packaging/documents.py FOLDER            copies README.md, CHANGELOG.md, docs/ and its pictures
    packaging/documents.py FOLDER --windows  the same, with line endings for Notepad
    packaging/documents.py --check FOLDER    fails if a page or picture that is linked to is not there

Links to pages that are part of the sources only become plain text.
"""

import pathlib
import re
import shutil
import sys

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def local(target):
    return "://" not in target and not target.startswith("mailto:")


def copy(folder, windows):
    root = pathlib.Path(__file__).resolve().parent.parent
    pages = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("*.md"))]
    pictures = sorted((root / "docs" / "images").glob("*.png"))
    copied = {*pages, *pictures}
    folder.mkdir(parents=True, exist_ok=True)

    for page in pages:

        def here(found):
            mark, text, target, place = found[1], found[2], found[3], found[4] or ""
            if not local(target):
                return found[0]
            path = (page.parent / target).resolve()
            return f"{mark}[{text}]({path.name}{place})" if path in copied else text

        text = LINK.sub(here, page.read_text(encoding="utf-8"))
        end = "\r\n" if windows else "\n"
        (folder / page.name).write_text(text, encoding="utf-8", newline=end)
    for picture in pictures:
        shutil.copyfile(picture, folder / picture.name)


def check(folder):
    pages = sorted(folder.glob("*.md"))
    lost = [
        f"{page.name} links to {found[3]}, which is not there"
        for page in pages
        for found in LINK.finditer(page.read_text(encoding="utf-8"))
        if local(found[3]) and not (page.parent / found[3]).exists()
    ]
    if not pages:
        lost = [f"no pages in {folder}"]
    for line in lost:
        print(line, file=sys.stderr)
    return 1 if lost else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--check":
        return check(pathlib.Path(arguments[1]))
    if not arguments or arguments[1:] not in ([], ["--windows"]):
        print(__doc__, file=sys.stderr)
        return 2
    copy(pathlib.Path(arguments[0]), windows=len(arguments) == 2)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
