//! The clients: each asks the API for one change after the other, of things that all of them know,
//! so that they get into each other's way.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value as Json, json};
use testkit::server::{TestServer, Who};

use crate::dice::Dice;

/// Texts that are meant to be taken for something else.
const TEXTS: [&str; 5] = ["plain", "", "a\"b\\c", "x && drop; ${y}", "ü | 1==1"];

/// What the clients have made, as far as they know; some of it is gone.
#[derive(Debug, Default)]
pub struct Known {
    networks: Vec<String>,
    subnets: Vec<(String, String, u8)>,
    ports: Vec<String>,
    groups: Vec<String>,
    rules: Vec<String>,
    address_groups: Vec<String>,
    names: usize,
}

/// One who changes things.
pub struct Client<'a> {
    /// The server that is asked.
    pub server: &'a TestServer,
    /// Shared with the others.
    pub known: Rc<RefCell<Known>>,
    /// His choices.
    pub dice: Dice,
    /// He changes the same few things again and again.
    pub is_stubborn: bool,
}

impl Client<'_> {
    /// Asks for one change, whatever it may be.
    pub async fn act(&mut self) {
        if self.is_stubborn && self.dice.percent(60) {
            return self.update_port().await;
        }
        match self.dice.below(100) {
            0..9 => self.create_network().await,
            9..20 => self.create_subnet().await,
            20..44 => self.create_port().await,
            44..60 => self.update_port().await,
            60..68 => self.delete("ports", |known| &mut known.ports).await,
            68..73 => self.create_group().await,
            73..80 => self.create_rule().await,
            80..83 => self.delete("security-group-rules", |known| &mut known.rules).await,
            83..85 => self.delete("security-groups", |known| &mut known.groups).await,
            85..89 => self.change_address_group().await,
            89..93 => self.update_network().await,
            93..96 => self.update_subnet().await,
            96..98 => self.delete_subnet().await,
            _ => self.delete_network().await,
        }
    }

    /// Asks; the reply's body if it was done. A refusal is the caller's fault, never the server's.
    async fn ask(&self, method: &str, path: &str, body: Option<Json>) -> Option<Json> {
        let shown = format!("{method} {path} {body:?}");
        let reply = self.server.call(&Who::admin(), method, &format!("/v2.0/{path}"), body).await;
        assert!(reply.status < 500, "{shown}: {} {}", reply.status, reply.text);
        (reply.status < 300).then_some(reply.json)
    }

    /// Asks for a new one; its id.
    async fn create(&self, many: &str, one: &str, body: Json) -> Option<String> {
        let reply = self.ask("POST", many, Some(json!({ one: body }))).await?;
        Some(reply[one]["id"].as_str()?.to_owned())
    }

    fn text(&mut self) -> &'static str {
        self.dice.one(&TEXTS).copied().unwrap_or_default()
    }

    fn number(&self) -> usize {
        let mut known = self.known.borrow_mut();
        known.names += 1;
        known.names
    }

    /// One of those that are known.
    fn pick(&mut self, of: impl Fn(&Known) -> &Vec<String>) -> Option<String> {
        let known = self.known.borrow();
        let all = of(&known);
        let some = if self.is_stubborn { all.len().min(2) } else { all.len() };
        self.dice.one(&all[..some]).cloned()
    }

    async fn delete(&mut self, path: &str, of: fn(&mut Known) -> &mut Vec<String>) {
        let picked = {
            let mut known = self.known.borrow_mut();
            let ids = of(&mut known);
            if ids.is_empty() {
                return;
            }
            ids.swap_remove(self.dice.below(ids.len()))
        };
        self.ask("DELETE", &format!("{path}/{picked}"), None).await;
    }

    async fn create_network(&mut self) {
        let body = json!({
            "name": format!("{}-{}", self.text(), self.number()),
            "mtu": 1280 + self.dice.below(200),
            "port_security_enabled": self.dice.percent(80),
        });
        if let Some(id) = self.create("networks", "network", body).await {
            self.known.borrow_mut().networks.push(id);
        }
    }

    async fn update_network(&mut self) {
        let Some(id) = self.pick(|known| &known.networks) else { return };
        let body = match self.dice.below(3) {
            0 => json!({ "mtu": 1280 + self.dice.below(200) }),
            1 => json!({ "name": self.text() }),
            _ => json!({ "port_security_enabled": self.dice.percent(50) }),
        };
        self.ask("PUT", &format!("networks/{id}"), Some(json!({ "network": body }))).await;
    }

    async fn delete_network(&mut self) {
        self.delete("networks", |known| &mut known.networks).await;
    }

    async fn create_subnet(&mut self) {
        let Some(network) = self.pick(|known| &known.networks) else { return };
        let number = self.number() % 200;
        let mut body = json!({ "network_id": network, "enable_dhcp": self.dice.percent(80) });
        let version = if self.dice.percent(70) { 4 } else { 6 };
        body["ip_version"] = json!(version);
        if version == 4 {
            body["cidr"] = json!(format!("10.{number}.0.0/24"));
        } else {
            body["cidr"] = json!(format!("fd00:{number:x}::/64"));
            let mode = self.dice.one(&["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]).copied();
            if self.dice.percent(60) {
                body["ipv6_address_mode"] = json!(mode);
                body["ipv6_ra_mode"] = json!(mode);
            }
        }
        if let Some(id) = self.create("subnets", "subnet", body).await {
            self.known.borrow_mut().subnets.push((id, network, version));
        }
    }

    async fn update_subnet(&mut self) {
        let picked = self.dice.one(&self.known.borrow().subnets).cloned();
        let Some((id, _, version)) = picked else { return };
        let servers = if version == 4 { "192.0.2.53" } else { "2001:db8::53" };
        let body = match self.dice.below(3) {
            0 => json!({ "enable_dhcp": self.dice.percent(50) }),
            1 => json!({ "dns_nameservers": [servers] }),
            _ => json!({ "gateway_ip": null }),
        };
        self.ask("PUT", &format!("subnets/{id}"), Some(json!({ "subnet": body }))).await;
    }

    async fn delete_subnet(&mut self) {
        let picked = {
            let mut known = self.known.borrow_mut();
            if known.subnets.is_empty() {
                return;
            }
            let at = self.dice.below(known.subnets.len());
            known.subnets.swap_remove(at).0
        };
        self.ask("DELETE", &format!("subnets/{picked}"), None).await;
    }

    async fn create_port(&mut self) {
        let Some(network) = self.pick(|known| &known.networks) else { return };
        let mut body = json!({
            "network_id": network,
            "name": self.text(),
            "admin_state_up": self.dice.percent(85),
        });
        if self.dice.percent(50) {
            body["device_owner"] = json!("compute:nova");
            body["binding:host_id"] = json!(format!("host-{}", self.dice.below(3)));
        }
        if let Some(group) = self.pick(|known| &known.groups).filter(|_| self.dice.percent(60)) {
            body["security_groups"] = json!([group]);
        }
        if let Some(id) = self.create("ports", "port", body).await {
            self.known.borrow_mut().ports.push(id);
        }
    }

    async fn update_port(&mut self) {
        let Some(id) = self.pick(|known| &known.ports) else { return };
        let body = match self.dice.below(7) {
            0 => json!({ "name": self.text() }),
            1 => json!({ "admin_state_up": self.dice.percent(50) }),
            2 => {
                let groups: Vec<String> = (0..self.dice.below(3))
                    .filter_map(|_| self.pick(|known| &known.groups))
                    .collect();
                json!({ "security_groups": groups })
            }
            3 => {
                let address = format!("10.99.0.{}", self.dice.below(250));
                json!({ "allowed_address_pairs": [{ "ip_address": address }] })
            }
            4 => json!({ "extra_dhcp_opts": [
                { "opt_name": "domain-name", "opt_value": "x\"y", "ip_version": 4 }] }),
            5 => json!({ "binding:host_id": format!("host-{}", self.dice.below(3)) }),
            _ => json!({ "security_groups": [], "port_security_enabled": false }),
        };
        self.ask("PUT", &format!("ports/{id}"), Some(json!({ "port": body }))).await;
    }

    async fn create_group(&mut self) {
        let body = json!({ "name": self.text(), "stateful": self.dice.percent(80) });
        if let Some(id) = self.create("security-groups", "security_group", body).await {
            self.known.borrow_mut().groups.push(id);
        }
    }

    async fn create_rule(&mut self) {
        let Some(group) = self.pick(|known| &known.groups) else { return };
        let mut body = json!({ "security_group_id": group, "direction": "ingress" });
        match self.dice.below(4) {
            0 => {
                let port = 1 + self.dice.below(60_000);
                body["protocol"] = json!("tcp");
                body["port_range_min"] = json!(port);
                body["port_range_max"] = json!(port + self.dice.below(10));
            }
            1 => body["remote_group_id"] = json!(self.pick(|known| &known.groups)),
            2 => {
                let remote = self.pick(|known| &known.address_groups);
                body["remote_address_group_id"] = json!(remote);
            }
            _ => body["protocol"] = json!("icmp"),
        }
        if let Some(id) = self.create("security-group-rules", "security_group_rule", body).await {
            self.known.borrow_mut().rules.push(id);
        }
    }

    async fn change_address_group(&mut self) {
        let addresses = json!([format!("10.98.{}.0/24", self.dice.below(250))]);
        let picked = self.pick(|known| &known.address_groups);
        let Some(id) = picked.filter(|_| self.dice.percent(70)) else {
            let body = json!({ "name": self.text(), "addresses": addresses });
            if let Some(id) = self.create("address-groups", "address_group", body).await {
                self.known.borrow_mut().address_groups.push(id);
            }
            return;
        };
        if self.dice.percent(20) {
            return self.delete("address-groups", |known| &mut known.address_groups).await;
        }
        let verb = if self.dice.percent(60) { "add_addresses" } else { "remove_addresses" };
        let body = json!({ "address_group": { "addresses": addresses } });
        self.ask("PUT", &format!("address-groups/{id}/{verb}"), Some(body)).await;
    }
}
