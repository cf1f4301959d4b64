"""Compares what the agent reads from archives with what zipfile, unzip and 7z read.

If all three read an archive completely, without complaint and with the same result, the agent must
have published the same content, or named what it left out. What it published must be what the
programs that accept the archive read. Archives that are made to be ambiguous must be refused,
whatever the others say.
"""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

# Why the agent refuses a damaged archive that the three others read silently: none of them compares an
# archive's two descriptions of a file, or verifies both of its sizes. A new download fixes it.
PROVEN = (
    "its name differs from the one in the directory",
    "sizes or checksum differ from those in the directory",
    "it unpacks to less than it claims",
    "files in the archive share the same bytes",
    "the archive has two directories",
    "it grows more than 200 times",
)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def by_python(path):
    """The content of all files, or None if zipfile complains."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [one for one in archive.infolist() if not one.is_dir()]
            names = [one.filename for one in infos]
            if len(set(names)) < len(names):
                # Of two files with the same name it reads the last.
                infos = [archive.getinfo(name) for name in dict.fromkeys(names)]
            return sorted(sha(archive.read(one)) for one in infos)
    except Exception:
        return None


def by_program(command, good):
    def read(path):
        with tempfile.TemporaryDirectory() as place:
            try:
                done = subprocess.run(
                    command(path, place),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    start_new_session=True,
                    timeout=120,
                )
            except subprocess.TimeoutExpired:
                return None
            if done.returncode not in good:
                return None
            found = []
            for folder, _, names in os.walk(place):
                for name in names:
                    file = pathlib.Path(os.fsdecode(folder)) / name
                    if file.is_symlink() or not file.is_file():
                        return None
                    found.append(sha(file.read_bytes()))
            return sorted(found)

    return read


READERS = {
    "zipfile": by_python,
    # 1 is a warning, for instance about bytes before the archive.
    # The password keeps it from asking for one.
    "unzip": by_program(
        lambda path, place: ["unzip", "-o", "-qq", "-P", "none", path, "-d", place], (0, 1)
    ),
    "7z": by_program(lambda path, place: ["7z", "x", "-y", "-bd", "-pnone", f"-o{place}", path], (0,)),
}


def look(task):
    folder, line = task
    ours = json.loads(line)
    path = str(folder / ours["file"])
    return ours, {name: read(path) for name, read in READERS.items()}


def main():
    folder = pathlib.Path(sys.argv[1])
    for program in ("unzip", "7z"):
        if not shutil.which(program):
            sys.exit(f"error: {program} is missing")
    faults = []
    counts = collections.Counter()
    for kind in ("honest", "smuggling"):
        lines = (folder / f"{kind}.jsonl").read_text().splitlines()
        assert lines, f"no {kind} archives"
        with concurrent.futures.ProcessPoolExecutor() as pool:
            for ours, others in pool.map(look, [(folder, line) for line in lines], chunksize=16):
                judge(kind, ours, others, counts, faults)
    for key in sorted(counts):
        print(f"{counts[key]:7} {key}")
    for fault in faults[:50]:
        print(fault)
    if faults:
        sys.exit(f"error: {len(faults)} archives are read otherwise")


def judge(kind, ours, others, counts, faults):
    def fault(text):
        faults.append(f"{ours['file']} ({ours['name']}): {text}")

    if kind == "honest" and ours["name"] == "damaged":
        kind = "damaged"
    is_read = ours["code"] is None
    counts[f"{kind}: all"] += 1
    counts[f"{kind}: {'published' if is_read else 'refused'}"] += 1
    if kind == "smuggling":
        if is_read:
            fault("is published")
        return
    content = {name: found for name, found in others.items() if found is not None}
    for name in READERS:
        counts[f"{kind}: read by {name}"] += name in content
    agree = len(content) == len(READERS) and len({tuple(one) for one in content.values()}) == 1
    counts[f"{kind}: all three agree"] += agree
    if not is_read:
        if agree:
            counts[f"{kind}: all three agree, refused as {ours['code']}"] += 1
            if kind == "honest":
                fault(f"all three agree, and it is refused as {ours['code']}")
            elif not any(reason in ours["why"] for reason in PROVEN):
                fault(f"damaged, all three agree, and it is refused: {ours['why']}")
        return
    published = collections.Counter(ours["published"])
    for name, found in content.items():
        found = collections.Counter(found)
        missing = sum((found - published).values())
        if missing > ours["left_out"]:
            fault(f"{name} reads {missing} files that are not published, {ours['left_out']} are named")
        # A program that takes a file for a folder loses it; another one must have it then.
        counts[f"{kind}: {name} lost a file that is published"] += bool(published - found)
    # A single program, which may take a file for a folder, does not prove that something is missing.
    known = set().union(*content.values())
    if len(content) > 1 and set(published) - known:
        fault("no other program reads some of what is published")


main()
