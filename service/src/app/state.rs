//! The long-lived parts of the service, built once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    accounts::Accounts,
    cache::Life,
    clock::now,
    database_probe::DatabaseProbe,
    deletions::{Deletions, DeletionsError},
    destination_finder::{self, DestinationFinder},
    flight_finder::FlightFinder,
    limiter::Limiter,
    memory_finder::MemoryFinder,
    memory_writer::MemoryWriter,
    passwords::{HashError, Passwords},
    servers::Servers,
    stay_finder::StayFinder,
    tokens::Tokens,
    tools::{Finders, Tools},
    weather_finder::WeatherFinder,
};
use crate::{
    config::Config,
    dependency::{Account, Caller, Failure, Limits, Notes, OwnKey},
    domain::{api_key::Service, meta::Meta, user::normal_email},
    llm,
    mcp::{
        airbnb::Stays, flights::Flights, google_maps::Places, memory::Memory, time::Clocks, weather::Weather,
        webcrawl::Pages,
    },
    metrics::{DegradedLabels, InstanceLabels, Metrics, ServerLabels},
    sealing::Sealer,
    storage::{self, Storage},
};

/// Everything that requests share.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) storage: Arc<Storage>,
    /// For secrets at rest.
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: Tokens,
    pub(crate) flights: Arc<FlightFinder>,
    pub(crate) stays: Arc<StayFinder>,
    pub(crate) weather: Arc<WeatherFinder>,
    pub(crate) destinations: Arc<DestinationFinder>,
    pub(crate) tools: Tools,
    pub(crate) memory: MemoryFinder,
    pub(crate) memory_writer: MemoryWriter,
    pub(crate) servers: Servers,
    pub(crate) deletions: Deletions,
    /// Rung when there is an export to build.
    pub(super) exports_due: Notify,
    pub(super) started_at: Timestamp,
    pub(crate) llm: Option<Arc<llm::Client>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Counts requests, when there are limits.
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// Places for requests in progress.
    pub(crate) in_flight: Arc<Semaphore>,
    /// Cancelled when streams in progress must come to their end.
    pub(crate) stop_streams: CancellationToken,
    is_stopping: AtomicBool,
    database_probe: DatabaseProbe,
}

/// Why the parts cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Storage(#[from] storage::OpenError),
    #[error(transparent)]
    Deletions(#[from] DeletionsError),
    #[error("cannot set up password hashing")]
    Passwords(#[from] HashError),
    #[error("cannot set up an HTTP client")]
    Http(#[from] reqwest::Error),
    #[error("cannot use REDIS_URL")]
    Redis(#[from] redis::RedisError),
}

impl App {
    /// Opens the database and sets up every client.
    ///
    /// # Errors
    /// The database cannot be opened or migrated, or a setting cannot be used.
    pub(crate) async fn open(config: Config) -> Result<Self, OpenError> {
        let metrics = Arc::new(Metrics::new());
        let limits = storage::Limits {
            connections: config.database_connections,
            statement_timeout: config.database_statement_timeout,
            pool_wait: config.database_pool_wait,
        };
        let storage = Arc::new(Storage::open(&config.database_url, limits, Arc::clone(&metrics)).await?);
        let sealer = Arc::new(Sealer::new(&config.keys.master));
        if sealer.current().is_none() {
            tracing::warn!("no TRIPSAGE_MASTER_KEYS, users cannot store keys of their own");
        }
        let accounts = Accounts::open(&storage, &sealer, config.keys.user_key_ttl, &metrics);
        let accounts = Arc::new(accounts);
        let deletions = Deletions::open(&config.account, &storage).await?;
        let servers = Servers::open(&config, &metrics)?;
        let life = Life { ttl: config.flights_cache_ttl, stale_for: config.stale_for };
        let flights = servers.flights.clone().map(|client| client as Arc<dyn Flights>);
        let flights = Arc::new(FlightFinder::new(flights, life, &metrics));
        let life = |ttl| Life { ttl, stale_for: config.stale_for };
        let stays = servers.airbnb.clone().map(|client| client as Arc<dyn Stays>);
        let weather = servers.weather.clone().map(|client| client as Arc<dyn Weather>);
        let weather = Arc::new(WeatherFinder::new(weather, life(config.weather_cache_ttl), &metrics));
        let places = destination_finder::Providers {
            places: servers.google_maps.clone().map(|client| client as Arc<dyn Places>),
            clocks: servers.time.clone().map(|client| client as Arc<dyn Clocks>),
            weather: Arc::clone(&weather),
        };
        let stays = Arc::new(StayFinder::new(stays, life(config.stays_cache_ttl), &metrics));
        let destinations = Arc::new(DestinationFinder::new(places, life(config.destinations_cache_ttl), &metrics));
        let finders = Finders {
            flights: Arc::clone(&flights),
            stays: Arc::clone(&stays),
            weather: Arc::clone(&weather),
            destinations: Arc::clone(&destinations),
            clocks: servers.time.clone().map(|client| client as Arc<dyn Clocks>),
            pages: servers.webcrawl.clone().map(|client| client as Arc<dyn Pages>),
        };
        let configured = servers.iter().map(|client| client.server()).collect();
        let memory = servers.memory.clone().map(|client| client as Arc<dyn Memory>);
        let tools = Tools::new(finders, configured, Arc::clone(&accounts), config.tool_timeout);
        Ok(Self {
            storage,
            sealer,
            accounts,
            passwords: Passwords::new(config.argon2_memory_kib)?,
            tokens: Tokens::new(
                &config.keys.signing,
                config.admin_emails.iter().map(|email| normal_email(email)).collect(),
            ),
            flights,
            stays,
            weather,
            destinations,
            tools,
            memory: MemoryFinder::new(memory.clone(), life(config.memory_cache_ttl), &metrics),
            memory_writer: MemoryWriter::start(memory, Arc::clone(&metrics)),
            servers,
            deletions,
            exports_due: Notify::new(),
            started_at: now(),
            llm: llm_client(&config, &metrics)?,
            limiter: Limiter::open(&config.rate_limits, &metrics)?.map(Arc::new),
            in_flight: Arc::new(Semaphore::new(config.max_in_flight)),
            stop_streams: CancellationToken::new(),
            is_stopping: AtomicBool::new(false),
            database_probe: DatabaseProbe::default(),
            metrics,
            config,
        })
    }

    /// A call of `service` for that user, on the user's own account when there is one, by `deadline`.
    pub(crate) async fn caller(&self, user_id: Uuid, service: Service, deadline: Instant) -> Caller {
        self.accounts.caller(user_id, service, deadline).await
    }

    /// Asks a service whether it takes a key.
    ///
    /// # Errors
    /// [`Failure::KeyRefused`] when it does not; any other failure says nothing about the key.
    pub(crate) async fn check_key(
        &self,
        service: Service,
        secret: &SecretString,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let key = OwnKey { id: Uuid::nil(), since: now(), secret: secret.clone(), notes: Notes::none() };
        let caller = Caller { deadline, account: Account::Own(Arc::new(key)) };
        let server = match service {
            Service::Openai => return self.llm.as_ref().ok_or(Failure::Absent)?.check_key(&caller).await,
            Service::Flights => &self.servers.flights,
            Service::Accommodation => &self.servers.airbnb,
            Service::Googlemaps => &self.servers.google_maps,
            Service::Weather => &self.servers.weather,
            Service::Webcrawl => &self.servers.webcrawl,
        };
        server.as_ref().ok_or(Failure::Absent)?.check_key(&caller).await
    }

    /// From now on the service is not ready for new requests.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Whether new requests should come here: not stopping, and the database works.
    pub(crate) async fn is_ready(&self) -> bool {
        !self.is_stopping.load(Ordering::Acquire) && self.database_works().await
    }

    /// All metrics as text; those that are states are read now.
    pub(crate) fn metrics_page(&self) -> String {
        for client in self.servers.iter() {
            let gauge = self.metrics.mcp_breaker.get_or_create_owned(&ServerLabels { server: client.server() });
            gauge.set(client.breaker_state() as i64);
            for (instance, is_ejected) in (0..).zip(client.ejected()) {
                let labels = InstanceLabels { server: client.server(), instance };
                self.metrics.mcp_ejected.get_or_create_owned(&labels).set(i64::from(is_ejected));
            }
        }
        if let Some(llm) = &self.llm {
            self.metrics.llm_breaker.set(llm.breaker_state() as i64);
        }
        self.metrics.render()
    }

    /// Counts an answer that is degraded, by route and reason.
    pub(crate) fn note_degraded(&self, route: &'static str, meta: &Meta) {
        for reason in &meta.degraded_reasons {
            self.metrics.degraded.get_or_create(&DegradedLabels { route, reason: reason.label() }).inc();
        }
    }

    pub(super) async fn database_works(&self) -> bool {
        let storage = Arc::clone(&self.storage);
        self.database_probe.works(|| async move { storage.probe().await }).await
    }
}

fn llm_client(config: &Config, metrics: &Arc<Metrics>) -> reqwest::Result<Option<Arc<llm::Client>>> {
    let Some(url) = &config.llm_url else {
        tracing::warn!("no address for the language model, chats answer 503");
        return Ok(None);
    };
    let settings = llm::Settings {
        url: url.expose().clone(),
        api_key: config.llm_api_key.clone(),
        model: config.llm_model.clone(),
        first_token_timeout: config.llm_first_token_timeout,
        limits: Limits {
            concurrent: config.llm_max_concurrent,
            attempt_timeout: config.llm_first_token_timeout,
            failures_to_open: config.breaker_failures,
            open_for: config.breaker_open,
        },
    };
    llm::Client::new(settings, Arc::clone(metrics)).map(|client| Some(Arc::new(client)))
}
