#!/usr/bin/env python3
"""Runs Neutron's own agents on what a nucleon server writes into OVN.

    python tests/clients/neutron.py --server target/debug/nucleon

Neutron is that of the Python that runs this; the laboratory around it (a real OVN, hypervisors and
guests) is that of the tests with packets, which are compiled for it. Needs root.
"""

import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", help="the tests build their own; taken as by the others here")
    parser.parse_args()
    environment = dict(os.environ, NUCLEON_TEST_NEUTRON=str(pathlib.Path(sys.executable).parent))
    command = ["cargo", "test", "--package", "nucleon-server", "--test", "packets", "--",
               "--ignored", "--nocapture", "neutrons_own_agent"]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
