#!/usr/bin/env python3
"""Records what a Neutron with its OVN driver writes to Northbound.

    record.py NEUTRON KEYSTONE PASSWORD NORTHBOUND DIRECTORY [SCENARIO …]

Makes the calls of each scenario in `scenarios.json` as one with all roles, reads the rows that
belong to what they made, and writes DIRECTORY/SCENARIO.json in the form that README.md describes.
What a scenario made is removed afterwards.
"""
import json
import subprocess
import sys
import uuid
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[2] / "transcripts"))
import record as transcripts  # noqa: E402

TABLES = ["Logical_Switch", "Logical_Switch_Port", "DHCP_Options", "Port_Group", "ACL", "Address_Set",
          "DNS", "HA_Chassis_Group", "HA_Chassis"]
DROP_GROUP = "neutron_pg_drop"


class Northbound:
    """The rows of a database, by table and UUID."""

    def __init__(self, remote):
        self.remote = remote

    def read(self):
        selects = [{"op": "select", "table": table, "where": []} for table in TABLES]
        command = ["ovsdb-client", "transact", self.remote, json.dumps(["OVN_Northbound", *selects])]
        replies = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return {table: {row["_uuid"][1]: {name: plain(value) for name, value in row.items()
                                          if not name.startswith("_")}
                        for row in reply["rows"]}
                for table, reply in zip(TABLES, replies)}


def plain(value):
    """A column as JSON: sets as lists, maps as objects."""
    if isinstance(value, list):
        kind, members = value
        if kind == "set":
            return [plain(member) for member in members]
        if kind == "map":
            return {key: plain(member) for key, member in members}
        return members
    return value


def members(row, column):
    value = row.get(column, [])
    return value if isinstance(value, list) else [value]


def mine(rows, ids):
    """The rows that belong to objects with these ids, as (table, uuid)."""
    found = []

    def add(table, uuid):
        if uuid in rows[table] and (table, uuid) not in found:
            found.append((table, uuid))

    underscored = [one.replace("-", "_") for one in ids]
    ports = []
    for uuid, row in rows["Logical_Switch"].items():
        if row["name"].removeprefix("neutron-") in ids:
            add("Logical_Switch", uuid)
            ports += members(row, "ports")
            for records in members(row, "dns_records"):
                add("DNS", records)
    for uuid in ports:
        add("Logical_Switch_Port", uuid)
    for uuid, row in rows["DHCP_Options"].items():
        if row["external_ids"].get("neutron:network_id") in ids:
            add("DHCP_Options", uuid)
    for uuid, row in rows["Port_Group"].items():
        filtered = row["name"] == DROP_GROUP and set(members(row, "ports")) & set(ports)
        if filtered or row["name"].removeprefix("pg_") in underscored:
            add("Port_Group", uuid)
            if row["name"] == DROP_GROUP:
                row["ports"] = [port for port in members(row, "ports") if port in ports]
                row["_changed"] = True
            else:
                for acl in members(row, "acls"):
                    add("ACL", acl)
    for uuid, row in rows["Address_Set"].items():
        if row["name"][3:-4] in underscored:
            add("Address_Set", uuid)
    for uuid, row in rows["HA_Chassis_Group"].items():
        if any(row["name"].endswith(one) for one in ids):
            add("HA_Chassis_Group", uuid)
    return found


def shown(rows, found, names):
    """The rows as they are kept: references as names of rows, ids as names of objects."""
    labels = {}
    for table, uuid in found:
        count = sum(1 for label in labels.values() if label.startswith(f"<{table}#"))
        labels[uuid] = f"<{table}#{count}>"
    tables = {}
    for table, uuid in found:
        row = {"_id": labels[uuid]}
        for column, value in sorted(rows[table][uuid].items()):
            if isinstance(value, list):
                value = value[0] if len(value) == 1 else value
            if value not in ([], {}, ""):
                row[column] = value
        tables.setdefault(table, []).append(row)
    text = json.dumps(tables)
    for old, new in {**labels, **names}.items():
        text = text.replace(old, new)
    for old, new in names.items():
        text = text.replace(old.replace("-", "_"), new)
    return json.loads(text)


class Cloud:
    """A Neutron, asked by one who may do everything, in a project of his own."""

    def __init__(self, neutron, keystone, password):
        keys = transcripts.Keystone(keystone, password)
        name = f"recorder-{uuid.uuid4().hex[:12]}"
        project = {"name": name, "domain_id": keys.domain}
        user = {"name": name, "domain_id": keys.domain, "password": name}
        self.project = keys.call("POST", "/projects", {"project": project})["project"]["id"]
        person = keys.call("POST", "/users", {"user": user})["user"]["id"]
        for role in ("admin", "manager", "member", "reader", "service"):
            path = f"/projects/{self.project}/users/{person}/roles/{keys.roles[role]}"
            keys.call("PUT", path)
        token, _ = keys.log_in(name, name, self.project, by="id")
        self.server = transcripts.Server(neutron, {"admin": {"X-Auth-Token": token}}, {})

    def ask(self, method, path, body=None):
        request = {"method": method, "path": path}
        if body is not None:
            request["body"] = body
        status, _, text = self.server.ask("admin", request)
        return status, json.loads(text) if text else None


def fill(value, objects):
    text = json.dumps(value)
    for name, (_, one) in objects.items():
        text = text.replace(f"${name}.id", one)
    return json.loads(text)


def play(cloud, northbound, name, steps):
    """Makes the calls of a scenario; returns the record."""
    objects, calls = {}, []
    for step in steps:
        method, path, *rest = step
        body, saved = (rest + [None, None])[:2]
        status, reply = cloud.ask(method, *fill([path, body], objects))
        if status >= 300:
            raise SystemExit(f"{name}: {status} to {step}: {reply}")
        calls.append({"method": method, "path": path, "body": body, "status": status,
                      "reply": reply})
        if saved:
            [(_, made)] = reply.items()
            objects[saved] = (path, made["id"])
    rows = northbound.read()
    # Asking for groups makes the default one, which then is not among the rows.
    groups = cloud.ask("GET", f"/v2.0/security-groups?name=default&project_id={cloud.project}")[1]
    default = [one["id"] for one in groups["security_groups"]]
    ids = [one for _, one in objects.values()]
    names = {one: f"<{saved}>" for saved, (_, one) in objects.items()}
    names[cloud.project] = "a" * 32
    found = mine(rows, ids + default)
    text = json.dumps(calls)
    for old, new in names.items():
        text = text.replace(old, new)
    for path, one in reversed(objects.values()):
        cloud.ask("DELETE", f"{path}/{one}")
    return {"case": name, "calls": json.loads(text), "northbound": shown(rows, found, names),
            "deleted_rows": []}


def main():
    neutron, keystone, password, remote, directory, *chosen = sys.argv[1:]
    scenarios = json.loads((Path(__file__).parent / "scenarios.json").read_text())
    northbound = Northbound(remote)
    for name in chosen or scenarios:
        cloud = Cloud(neutron, keystone, password)
        record = play(cloud, northbound, name, scenarios[name])
        (Path(directory) / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        print(name)


main()
