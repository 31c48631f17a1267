"""`python -m tests.crash --kills 100 [--seed S] [--json]`: exit code 0 only if nothing was lost.

1: something was lost or wrong. 2: durability cannot be judged here.
"""

import argparse
import json
import random
import shutil
import sys

from acksim.world.etcd_server import EtcdMissingError
from acksim.world.launcher import temporary_data_dir
from tests.crash.campaign import Campaign, UnfitEtcdError
from tests.crash.kills import plan


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, help="of the choice of kills; printed at the end")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    root = temporary_data_dir()
    try:
        report = Campaign(root, seed=seed).run(plan(arguments.kills, seed))
    except (UnfitEtcdError, EtcdMissingError) as error:
        root.rmdir()
        print(f"durability cannot be judged: {error}", file=sys.stderr)
        return 2
    if report.good:
        shutil.rmtree(root)
    else:
        print(f"the data and the logs are kept in {root}", file=sys.stderr)
    print(json.dumps(report.json(), indent=1) if arguments.json else report.text())
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
