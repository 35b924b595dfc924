//! OVN as the data plane: the connections to its databases, and the tasks that keep it in line and
//! watch it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use model::backend::Backend;
use model::settings::Settings;
use ovn::bind::Ovn;
use ovn::chance::Real;
use ovn::counters::Counters;
use ovn::facts::Facts;
use ovn::known::Known;
use ovn::liveness::Liveness;
use ovn::reconcile::Reconciler;
use ovn::watch::Watch;
use ovn::{owned, sb};
use ovsdb::client::{self, Client};
use sql::Db;
use tokio::sync::watch;

use crate::config::ovn::OvnOptions;
use crate::duty;

/// The Northbound database.
const NORTHBOUND: &str = "OVN_Northbound";

/// The connections to OVN's databases.
pub struct Plane {
    /// Northbound.
    pub nb: Client,
    /// Southbound.
    pub sb: Client,
    /// What rendering knows.
    pub facts: watch::Receiver<Option<Arc<Facts>>>,
}

impl Plane {
    /// Begins to connect; `None`: no data plane is configured.
    pub fn connect(options: &OvnOptions, settings: &Settings) -> Option<Self> {
        let (nb, sb) = options.remotes()?;
        let nb = Client::start(client::Options {
            tables: owned::monitored(),
            indexes: owned::indexes(),
            tls: options.tls(),
            ..client::Options::new(nb, NORTHBOUND)
        });
        let sb = sb::start(sb, options.tls());
        let settings = Arc::new(settings.clone());
        let rows = Arc::new(options.rows.options());
        let known = Arc::new(Known::new(sb.clone(), settings, rows));
        let facts = known.facts();
        duty::keep("knowing the chassis", move || {
            let known = Arc::clone(&known);
            async move { known.keep_up().await }
        });
        Some(Self { nb, sb, facts })
    }

    /// Waits until both databases were read.
    ///
    /// # Errors
    /// One of them was not, within `patience`.
    pub async fn ready(&mut self, patience: Duration) -> anyhow::Result<Arc<Facts>> {
        let northbound = self.nb.status();
        let ready = async {
            self.nb.connected().await;
            self.sb.connected().await;
            let known = self.facts.wait_for(Option::is_some).await.context("nothing is known")?;
            known.clone().context("nothing is known")
        };
        let ready = tokio::time::timeout(patience, ready).await;
        let why = || {
            let status = [northbound.borrow().clone(), self.sb.status().borrow().clone()];
            let why = status.into_iter().find_map(|status| status.why);
            why.unwrap_or_else(|| "it does not answer".to_owned())
        };
        ready.map_err(|_| anyhow::anyhow!("OVN cannot be reached: {}", why()))?
    }

    /// Begins to keep it in line with what is stored, and to watch it.
    pub fn keep(
        self,
        options: &OvnOptions,
        settings: &Settings,
        db: &Db,
    ) -> (Box<dyn Backend>, Counters) {
        let Self { nb, sb, facts } = self;
        let binding = options.hosts.binding();
        let (liveness, down_time) = (Liveness::new(nb.clone()), binding.down_time);
        let raising = liveness.clone();
        duty::keep("asking hosts whether they are alive", move || raising.clone().run(down_time));
        let chance = Arc::new(Real);
        let reconciler = Reconciler::new(db.clone(), nb, facts, options.settings(), chance);
        let (settled, counters) = (reconciler.settled(), reconciler.counters());
        duty::keep("bringing Northbound in line", move || reconciler.run());
        let ovn = Ovn::new(sb, liveness, binding).settling(settled);
        let (db, settings, seen) = (db.clone(), Arc::new(settings.clone()), ovn.clone());
        duty::keep("following Southbound", move || {
            Watch::new(db.clone(), Arc::clone(&settings), seen.clone()).run()
        });
        (Box::new(ovn), counters)
    }
}
