//! A cloud: networks, subnets and pools made as callers make them, ports as rows.

use std::sync::Arc;

use jiff::Timestamp;
use model::backend::NoBackend;
use model::ipam::{self, Seat, Taken};
use model::kind::{Call, World};
use model::settings::Settings;
use serde_json::{Value as Json, json};
use testkit::database::{Engine, Passing};
use wire::attr::Wire;
use wire::ctx::Ctx;
use wire::draft::{Draft, Verb};
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::types::fixed_ip::{FixedIp, FixedIpAsk};
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::value::Value;

#[derive(Clone)]
pub struct Cloud {
    pub world: Arc<World>,
    pub ctx: Ctx,
    _database: Arc<Passing>,
}

/// The wire type of the fault.
pub fn kind<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    result.unwrap_err().fault().expect("a fault of the caller's").kind
}

pub fn ip(text: &str) -> Ip {
    Ip::read(text).unwrap()
}

/// The value that is shown under a wire name.
pub fn shown(row: &Row, name: &str) -> Json {
    row.named(name).unwrap().to_json()
}

impl Cloud {
    pub async fn new(engine: Engine) -> Self {
        let database = Passing::new(engine).await;
        let mut settings = Settings::default();
        for limit in settings.quotas.values_mut() {
            *limit = -1;
        }
        let world = World { db: database.db(), settings, backend: Box::new(NoBackend) };
        let ctx = Ctx { project_id: "owner".into(), ..Ctx::system(Timestamp::UNIX_EPOCH) };
        Self { world: Arc::new(world), ctx, _database: Arc::new(database) }
    }

    /// The same cloud, seen by a member of a project.
    pub fn member(&self, project: &str) -> Self {
        let roles = vec!["member".into(), "reader".into()];
        let ctx = Ctx { project_id: project.into(), is_admin: false, roles, ..self.ctx.clone() };
        Self { ctx, ..self.clone() }
    }

    pub async fn make(&self, many: &str, body: Json) -> Result<Row> {
        let kind = model::kind(many).unwrap();
        let mut draft = Draft::parse(kind.table(), Verb::Create, &body)?;
        draft.own(&self.ctx)?;
        let (world, ctx, draft) = (&self.world, &self.ctx, &draft);
        world
            .db
            .write(ctx, |tx| async move {
                let call = world.call(&tx, ctx);
                let made = kind.create(&call, draft).await?;
                Ok(tx.find(kind.table(), &call.everything(), made.id()).await?.expect("made"))
            })
            .await
    }

    pub async fn change(&self, many: &str, id: Id, body: Json) -> Result<Row> {
        let kind = model::kind(many).unwrap();
        let draft = Draft::parse(kind.table(), Verb::Update, &body)?;
        let (world, ctx, draft) = (&self.world, &self.ctx, &draft);
        world
            .db
            .write(ctx, |tx| async move {
                let call = world.call(&tx, ctx);
                let old = call.find(kind.table(), id).await?.ok_or_else(|| kind.not_found("it"))?;
                kind.update(&call, &old, draft).await?;
                Ok(tx.find(kind.table(), &call.everything(), id).await?.expect("changed"))
            })
            .await
    }

    pub async fn delete(&self, many: &str, id: Id) -> Result<()> {
        let kind = model::kind(many).unwrap();
        let (world, ctx) = (&self.world, &self.ctx);
        world
            .db
            .write(ctx, |tx| async move {
                let call = world.call(&tx, ctx);
                let old = call.find(kind.table(), id).await?.ok_or_else(|| kind.not_found("it"))?;
                kind.delete(&call, &old).await
            })
            .await
    }

    pub async fn act(&self, id: Id, action: &str, body: Json) -> Result<Json> {
        let kind = model::kind("subnetpools").unwrap();
        let (world, ctx, body) = (&self.world, &self.ctx, &body);
        world
            .db
            .write(ctx, |tx| async move {
                let call = world.call(&tx, ctx);
                let row = call.find(kind.table(), id).await?.ok_or_else(|| kind.not_found("it"))?;
                kind.act(&call, &row, action, body).await
            })
            .await
    }

    pub async fn read(&self, many: &str, id: Id) -> Option<Row> {
        let kind = model::kind(many).unwrap();
        let (world, ctx) = (&self.world, &self.ctx);
        let found = world
            .db
            .read(ctx, |tx| async move { world.call(&tx, ctx).find(kind.table(), id).await });
        found.await.unwrap()
    }

    pub async fn network(&self) -> Id {
        self.make("networks", json!({"name": "net"})).await.unwrap().id()
    }

    pub async fn subnet(&self, network: Id, body: Json) -> Result<Row> {
        let mut body = body;
        body["network_id"] = network.to_string().into();
        if body.get("ip_version").is_none() {
            let six = body["cidr"].as_str().is_some_and(|cidr| cidr.contains(':'));
            body["ip_version"] = if six { 6 } else { 4 }.into();
        }
        self.make("subnets", body).await
    }

    /// Stores a port and gives it addresses.
    pub async fn port(
        &self,
        network: Id,
        device_owner: &str,
        ask: Option<&[FixedIpAsk]>,
    ) -> Result<(Seat, Taken)> {
        let seat = seat(network, device_owner);
        let (world, ctx, seat_of) = (&self.world, &self.ctx, &seat);
        let taken = world
            .db
            .write(ctx, |tx| async move {
                let call = world.call(&tx, ctx);
                store(&call, seat_of);
                ipam::take(&call, seat_of, ask).await
            })
            .await?;
        Ok((seat, taken))
    }

    pub async fn readdress(&self, seat: &Seat, ask: Option<&[FixedIpAsk]>) -> Result<Taken> {
        let (world, ctx) = (&self.world, &self.ctx);
        world
            .db
            .write(ctx, |tx| async move {
                let call = world.call(&tx, ctx);
                let have = ipam::of_port(&call, seat.port_id).await?;
                ipam::change(&call, seat, &have, ask).await
            })
            .await
    }

    pub async fn unplug(&self, port_id: Id) {
        let (world, ctx) = (&self.world, &self.ctx);
        let gone = world.db.write(ctx, |tx| async move {
            ipam::release(&world.call(&tx, ctx), port_id).await;
            tx.exec("DELETE FROM ports WHERE id = ?", vec![port_id.store()]);
            Ok(())
        });
        gone.await.unwrap();
    }

    pub async fn addresses(&self, port_id: Id) -> Vec<FixedIp> {
        let (world, ctx) = (&self.world, &self.ctx);
        let read = world
            .db
            .read(ctx, |tx| async move { ipam::of_port(&world.call(&tx, ctx), port_id).await });
        read.await.unwrap()
    }
}

/// A port that is not stored yet.
pub fn seat(network_id: Id, device_owner: &str) -> Seat {
    let port_id = Id::random();
    let (_, low) = port_id.0.as_u64_pair();
    Seat {
        port_id,
        network_id,
        mac: Mac::from_bits(0xfa16_0000_0000 | (low & 0xffff_ffff)),
        device_owner: device_owner.to_owned(),
        host: String::new(),
    }
}

fn store(call: &Call<'_>, seat: &Seat) {
    let text = Value::text;
    let list = || Value::json(json!([]));
    let columns = [
        ("id", seat.port_id.store()),
        ("project_id", text("owner")),
        ("network_id", seat.network_id.store()),
        ("name", text("")),
        ("description", text("")),
        ("mac_address", seat.mac.store()),
        ("admin_state_up", Value::Bool(true)),
        ("status", text("DOWN")),
        ("device_id", text("")),
        ("device_owner", text(seat.device_owner.as_str())),
        ("port_security_enabled", Value::Bool(true)),
        ("ip_allocation", text("immediate")),
        ("dns_name", text("")),
        ("dns_domain", text("")),
        ("propagate_uplink_status", Value::Bool(true)),
        ("allowed_address_pairs", list()),
        ("extra_dhcp_opts", list()),
        ("created_at", text("")),
        ("updated_at", text("")),
        ("revision_number", Value::Int(1)),
    ];
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "INSERT INTO ports ({}) VALUES ({})",
        names.join(", "),
        vec!["?"; names.len()].join(", ")
    );
    call.tx.exec(sql, columns.into_iter().map(|(_, value)| value).collect());
}

pub fn by_subnet(subnet: Id) -> FixedIpAsk {
    FixedIpAsk { subnet_id: Some(subnet), ip_address: None }
}

pub fn by_address(text: &str) -> FixedIpAsk {
    FixedIpAsk { subnet_id: None, ip_address: Some(ip(text)) }
}
