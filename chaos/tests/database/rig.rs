//! A server for one test, and a service that uses it.
use std::{
    io::{Write as _, stderr},
    sync::Arc,
    time::Duration,
};

use chaos::fault::database::{Cluster, Database, DatabaseFault, Leased, PostgresFault, Programs};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

/// Longer than any test takes: only a test of leases lets one run out.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(20);

pub(crate) struct Rig {
    pub(crate) cluster: Arc<Cluster>,
}

impl Rig {
    /// A server with two tables of the service. `None`, with a word about it, where PostgreSQL is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let cluster = Cluster::start(&programs()?, &std::env::temp_dir()).await.unwrap();
        let rig = Self { cluster: Arc::new(cluster) };
        let tables = "CREATE TABLE trips (a int); CREATE TABLE users (a int); INSERT INTO trips VALUES (1)";
        rig.connect().await.unwrap().run(tables).await.unwrap();
        Some(rig)
    }

    /// A connection of the service.
    pub(crate) async fn connect(&self) -> Result<Service, sqlx::Error> {
        Service::connect(&self.cluster.url(&self.cluster.address().to_string())).await
    }

    pub(crate) async fn prepare(&self, fault: PostgresFault) -> Leased {
        self.try_prepare(fault).await.unwrap()
    }

    pub(crate) async fn try_prepare(&self, fault: PostgresFault) -> Result<Leased, chaos::fault::database::Error> {
        Database::Postgres(self.cluster.clone()).prepare("x", &DatabaseFault::Postgres(fault)).await
    }
}

/// The installed programs. `None`, with a word about it, where there are none.
pub(crate) fn programs() -> Option<Programs> {
    let found = Programs::find(&std::env::var_os("PATH").unwrap_or_default());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed, and CI is set");
        // Past the capture of the test runner, which shows nothing of a test that passes.
        stderr().write_all(b"skipped: PostgreSQL is not installed; `apt install postgresql`\n").unwrap();
    }
    found
}

/// One connection of the service.
pub(crate) struct Service(PgConnection);

impl Service {
    pub(crate) async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        PgConnection::connect(url).await.map(Self)
    }

    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut self.0).await.map(drop)
    }

    pub(crate) async fn number(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.unwrap()
    }
}

/// The SQLSTATE of a refusal; empty for a connection that was lost without one.
pub(crate) fn code<T>(outcome: Result<T, sqlx::Error>) -> String {
    let error = outcome.err().expect("it is refused");
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within {WITHIN:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
