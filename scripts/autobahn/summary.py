"""Summarise a fuzzing client's reports: summary.py OUTDIR

Exits 1 if a case has a behaviour that is not accepted, or if the run does not
hold together (cases missing, Python errors in the fuzzer), since the suite
itself ends with status 0 even when the server could not be reached.
"""

import collections
import json
import pathlib
import re
import sys

ACCEPTED = {"OK", "NON-STRICT", "INFORMATIONAL"}


def case_key(case_id):
    return [int(part) for part in case_id.split(".")]


def main(outdir):
    outdir = pathlib.Path(outdir)
    log = (outdir / "wstest.log").read_text(errors="replace")
    problems = []

    planned = re.search(r"^Cases = (\[.*\])$", log, re.M)
    planned = set(re.findall(r"'([\d.]+)'", planned[1])) if planned else set()
    if not planned:
        problems.append("no case was planned (see wstest.log)")
    if "Traceback (most recent call last)" in log:
        problems.append("the fuzzing client raised Python errors (see wstest.log)")
    if "Connection to" in log and "failed (" in log:
        problems.append("the fuzzing client could not connect (see wstest.log)")

    index = outdir / "index.json"
    cases = json.loads(index.read_text()).get("server", {}) if index.exists() else {}
    missing = sorted(planned - set(cases), key=case_key)
    if missing:
        problems.append(f"{len(missing)} cases have no result: {' '.join(missing[:20])}"
                        + (" ..." if len(missing) > 20 else ""))

    for field in "behavior", "behaviorClose":
        by_outcome = collections.defaultdict(list)
        for case_id in sorted(cases, key=case_key):
            by_outcome[cases[case_id][field]].append(case_id)
        print(f"{field}: " + ", ".join(
            f"{len(ids)} {outcome}" for outcome, ids in
            sorted(by_outcome.items(), key=lambda item: -len(item[1]))))
        for outcome in sorted(by_outcome):
            if outcome != "OK":
                print(f"  {outcome}: {' '.join(by_outcome[outcome])}")

    bad = [case_id for case_id in sorted(cases, key=case_key)
           if not {cases[case_id]["behavior"], cases[case_id]["behaviorClose"]} <= ACCEPTED]
    for case_id in bad:
        report = json.loads((outdir / cases[case_id]["reportfile"]).read_text())
        print(f"{case_id}: {report['behavior']} ({report['result']}); "
              f"close: {report['behaviorClose']} ({report['resultClose']})")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print(f"{len(cases)} of {len(planned)} cases run, {len(bad)} not acceptable")
    return 1 if bad or problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
