#!/usr/bin/env python3
"""Writes every case of the corpus out as files: OUT/NAME/{log|evidence.json, checkpoint?, reason}."""

import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
TAIL_HEADER_BYTES = 12


def header_of(data):
    return data[:TAIL_HEADER_BYTES] if data.startswith(b"\0\0") else b""


def unframe(data):
    records, at = [], len(header_of(data))
    while at + 2 <= len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        records.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return records


def frame(records):
    return b"".join(len(record).to_bytes(2, "big") + record for record in records)


def point(document, pointer):
    for part in pointer.split("/")[1:]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def edit_document(document, edit):
    pointer = edit["pointer"]
    if edit["do"] == "cut":
        name = edit["name"]
        del point(document, pointer)[name]
        return
    if edit["do"] == "push":
        point(document, edit["to"]).append(json.loads(json.dumps(point(document, pointer))))
        return
    if edit["do"] == "clone":
        value, target = point(document, pointer), edit["to"]
    elif edit["do"] == "quote":
        value, target = (HERE / edit["from"]).read_text(), pointer
    else:
        value, target = edit["value"], pointer
    parent, _, last = target.rpartition("/")
    parent = point(document, parent)
    parent[int(last) if isinstance(parent, list) else last] = value


def edit_file(subject, edit):
    what, path = edit["do"], subject / edit["file"] if edit["file"] else subject
    if what == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(edit["text"])
    elif what == "remove":
        path.unlink()
    elif what == "copy":
        target = subject / edit["to"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    elif what == "take":
        shutil.copyfile(HERE / edit["from"], path)
    else:
        data = bytearray(path.read_bytes())
        if what == "replace":
            old, new = edit["from"].encode(), edit["to"].encode()
            at = data.index(old)
            data[at : at + len(old)] = new
        elif what == "flip":
            data[edit["at"]] ^= 1
        elif what == "truncate":
            data = data[: edit["to"]]
        elif what == "append":
            data += bytes.fromhex(edit["hex"])
        else:
            records = unframe(bytes(data))
            if what == "record":
                hexadecimal = edit.get("hex")
                records[edit["at"]] = bytes.fromhex(hexadecimal) if hexadecimal else edit["text"].encode()
            elif what == "drop":
                del records[edit["at"]]
            elif what == "double":
                records.insert(edit["at"], records[edit["at"]])
            elif what == "swap":
                a, b = edit["a"], edit["b"]
                records[a], records[b] = records[b], records[a]
            else:
                raise ValueError(f"no such edit: {what}")
            data = header_of(bytes(data)) + frame(records)
        path.write_bytes(bytes(data))


def main(out):
    cases = json.loads((HERE / "cases.json").read_text())["cases"]
    for case in cases:
        place = out / case["name"]
        place.mkdir(parents=True)
        source = HERE / case["subject"]
        subject = place / ("evidence.json" if source.is_file() else "log")
        (shutil.copyfile if source.is_file() else shutil.copytree)(source, subject)
        for edit in case.get("edits", []):
            if "pointer" in edit:
                document = json.loads(subject.read_text())
                edit_document(document, edit)
                subject.write_text(json.dumps(document))
            else:
                edit_file(subject, edit)
        if "checkpoint" in case:
            shutil.copyfile(HERE / case["checkpoint"], place / "checkpoint")
        (place / "reason").write_text(case["reason"] + "\n")
    print(f"{len(cases)} cases in {out}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
