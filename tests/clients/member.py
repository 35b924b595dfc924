"""A member of a project, known by Keystone: what he may do, and what he may not."""

from command_line import Cli


def run():
    cli = Cli()
    mine = cli.run("network create mine")
    cli.same("a member is not told how a network is carried",
             "provider:network_type" in mine and mine["provider:network_type"] is not None, False)
    cli.run("network create wire --provider-network-type vlan "
            "--provider-physical-network public --provider-segment 7", fails="403")
    cli.run("subnet create mine4 --network mine --subnet-range 192.0.2.0/24")
    port = cli.run("port create mine1 --network mine")
    cli.same("a port is DOWN until it is plugged in", port.get("status"), "DOWN")
    cli.same("it belongs to the project of the token", port.get("project_id"),
             cli.run("network show mine").get("project_id"))
    cli.run("port set mine1 --host h1", fails="403")
    groups = cli.run("security group list")
    cli.same("the project has its default group", [one["Name"] for one in groups], ["default"])
    limits = {row["Resource"]: row["Limit"] for row in cli.run("quota show --network")}
    cli.same("the quota of his own project", limits.get("ports"), 500)
    cli.run("network set theirs --name mine-now", fails="No Network found")
    cli.same("he sees his own", [one["Name"] for one in cli.run("network list")], ["mine"])
    for command in ("port delete mine1", "subnet delete mine4", "network delete mine"):
        cli.run(command)
    print(f"a member: {cli.passed} checks passed, {cli.failed} failed")
    return cli.passed, cli.failed
