//! Users as goose users: goose gives them their number, their life cycle and their tasks; the engine keeps clock, wire and record.
//!
//! What it is told, and why (seen by running goose 0.19):
//! - no telnet: its controller would listen on 127.0.0.1:5116 (its websocket is off unless asked for);
//! - no metrics, nothing printed: they stop at the response's head and are never read here;
//! - no iterations in the attack's configuration, where they make it print a line to stdout, but in each user's own;
//! - one iteration of one transaction per user: goose ends by itself when every user has come to its end, so its process-wide kill
//!   switch is not needed, and a dropped future (which would leave its users running) is never its end;
//! - a shared client: building one per user takes milliseconds, and none of them is used.
//!
//! **Signals.** goose installs a handler for Ctrl-C that ends the process at the second one. It does so with `ctrlc::set_handler`, which
//! fails, harmlessly, when the process has one already. So a program must install its own with `ctrlc` *before* it starts a load, and
//! not with another crate, whose handler `ctrlc` would replace.
use super::{Body, Error, Executor};
use futures_util::future::BoxFuture;
use goose::{
    GooseAttack, GooseError,
    client::GooseClientBuilder,
    config::GooseConfiguration,
    goose::{GooseUser, Scenario, Transaction, TransactionFunction},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

/// Runs each user as a goose user.
#[derive(Debug, Clone, Copy, Default)]
pub struct Goose;

impl Executor for Goose {
    fn run(self, users: u32, body: Body) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let panicked = Arc::new(AtomicUsize::new(0));
            let attack = attack(users, transaction(body, panicked.clone()));
            let executed = match attack {
                Ok(attack) => attack.execute().await.map(drop),
                Err(error) => Err(error),
            };
            executed.map_err(|error| Error::Goose(Box::new(error)))?;
            match panicked.load(Ordering::Relaxed) {
                0 => Ok(()),
                panicked => Err(Error::Panicked(panicked)),
            }
        })
    }
}

fn attack(users: u32, transaction: TransactionFunction) -> Result<GooseAttack, GooseError> {
    let scenario = Scenario::new("load").register_transaction(Transaction::new(transaction));
    let client = GooseClientBuilder::new().without_cookies();
    let attack = GooseAttack::initialize_with_config(configuration(users))?.register_scenario(scenario);
    attack.set_client_builder_without_cookies(client)
}

fn configuration(users: u32) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.users = Some(users as usize);
    // goose starts at most one user per turn of its loop, so this is "as fast as it can".
    configuration.increase_rate = Some("1000000".to_owned());
    // Asked for, but never used: the engine has connections of its own.
    configuration.host = Some("http://127.0.0.1:9".to_owned());
    configuration.no_telnet = true;
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.quiet = 2;
    configuration
}

fn transaction(body: Body, panicked: Arc<AtomicUsize>) -> TransactionFunction {
    let next = AtomicU32::new(0);
    Arc::new(move |goose_user: &mut GooseUser| {
        goose_user.config.iterations = Some(1);
        let user = body(next.fetch_add(1, Ordering::Relaxed));
        let panicked = panicked.clone();
        Box::pin(async move {
            // In a task of its own a user is not polled through goose's layers at every step; and goose waits for ever for one that
            // panicked.
            if tokio::spawn(user).await.is_err() {
                panicked.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    })
}
