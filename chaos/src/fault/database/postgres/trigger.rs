//! A trigger of a fault's own on tables of the service, and what it has counted.
//!
//! The trigger lets statements of everybody but the service pass. It counts in sequences, which keep their numbers when the
//! statement is rolled back. All of it is in a schema of its own, named `chaos_*`, so that it is found and dropped whatever
//! became of the fault.
use tokio::time::Instant;

use super::{
    cluster::SERVICE,
    session::{Session, quoted},
};
use crate::{
    control::Written,
    fault::database::injection::{Error, Seen},
};

/// A trigger before every statement that writes to one of the tables.
pub(super) struct Trigger {
    session: Session,
    /// Of its schema, function and triggers: `chaos_*`.
    name: &'static str,
    tables: Vec<String>,
    /// What it does, in PL/pgSQL, when a statement is hit.
    action: String,
    /// Which statements are hit, in SQL, by their number `n` from 1 on.
    condition: String,
    seen: u64,
    hit: u64,
}

impl Trigger {
    pub(super) fn new(session: Session, name: &'static str, tables: Vec<String>) -> Self {
        Self { session, name, tables, action: String::new(), condition: String::new(), seen: 0, hit: 0 }
    }

    /// With what it does, and to which statements.
    pub(super) fn that(mut self, action: String, condition: String) -> Self {
        (self.action, self.condition) = (action, condition);
        self
    }

    /// Puts the trigger on every table, and reads back that it is there.
    pub(super) async fn create(&mut self) -> Result<Written, Error> {
        self.session.revive().await?;
        let before = Instant::now();
        self.session.run("make the trigger's function", self.function()).await?;
        // One table at a time: whoever holds locks on two would wait for this, and this for them.
        for table in &self.tables {
            let name = self.name;
            let on = format!(
                "CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON public.{} FOR EACH STATEMENT \
                 EXECUTE FUNCTION {name}.{name}()",
                quoted(table)
            );
            self.session.run(&format!("put a trigger on table {table}"), on).await?;
        }
        let after = Instant::now();
        let (expected, found) = (self.tables.len() as u64, self.count_on().await?);
        if found == expected {
            return Ok(Written { before, after });
        }
        Err(Error::NoEffect { seen: format!("{found} of {expected} tables have the trigger") })
    }

    /// Sees that it is still on every table, and reads what it has counted.
    pub(super) async fn see(&mut self) -> Result<(), Error> {
        let (expected, found) = (self.tables.len() as u64, self.count_on().await?);
        if found != expected {
            return Err(Error::Gone { how: format!("{found} of {expected} tables have the trigger") });
        }
        self.read_counts().await
    }

    /// Takes the trigger from every table, and sees that it is gone.
    pub(super) async fn drop(&mut self) -> Result<Written, Error> {
        let (before, name) = (Instant::now(), self.name);
        self.session.revive().await?;
        for table in &self.tables {
            let off = format!("DROP TRIGGER IF EXISTS {name} ON public.{}", quoted(table));
            self.session.run(&format!("take the trigger from table {table}"), off).await?;
        }
        let after = Instant::now();
        if self.exists().await? {
            self.read_counts().await?;
            let schema = format!("DROP SCHEMA {name} CASCADE");
            self.session.run("drop the trigger's schema", schema).await?;
        }
        match self.count_on().await? {
            0 => Ok(Written { before, after }),
            left => Err(Error::Stays { seen: format!("{left} tables have the trigger") }),
        }
    }

    pub(super) fn seen(&self, what: &str) -> Seen {
        Seen { count: self.hit, what: format!("{what}, of {} that the service sent", self.seen) }
    }

    fn function(&self) -> String {
        let Self { name, action, condition, .. } = self;
        format!(
            "CREATE SCHEMA {name}; \
             CREATE SEQUENCE {name}.seen; \
             CREATE SEQUENCE {name}.hit; \
             GRANT USAGE ON SCHEMA {name} TO PUBLIC; \
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {name} TO PUBLIC; \
             CREATE FUNCTION {name}.{name}() RETURNS trigger LANGUAGE plpgsql AS $$ \
             DECLARE n bigint; \
             BEGIN \
                 IF session_user <> '{SERVICE}' THEN RETURN NULL; END IF; \
                 n := nextval('{name}.seen'); \
                 IF {condition} THEN \
                     PERFORM nextval('{name}.hit'); \
                     {action} \
                 END IF; \
                 RETURN NULL; \
             END $$"
        )
    }

    async fn count_on(&mut self) -> Result<u64, Error> {
        let count = format!("SELECT count(*)::text FROM pg_trigger WHERE tgname = '{}' AND tgenabled = 'O'", self.name);
        self.session.number("count the triggers", count).await
    }

    async fn exists(&mut self) -> Result<bool, Error> {
        let count = format!("SELECT count(*)::text FROM pg_namespace WHERE nspname = '{}'", self.name);
        Ok(self.session.number("look for the trigger's schema", count).await? > 0)
    }

    async fn read_counts(&mut self) -> Result<(), Error> {
        let name = self.name;
        let count =
            |sequence| format!("SELECT (CASE WHEN is_called THEN last_value ELSE 0 END)::text FROM {name}.{sequence}");
        self.seen = self.session.number("read what the trigger counted", count("seen")).await?;
        self.hit = self.session.number("read what the trigger counted", count("hit")).await?;
        Ok(())
    }
}
