//! Faults on parts against a real process: what the system shows of it, and what is recorded.
use chaos::{Doing, FaultSettings, Injectors, PartError, Parts, Stopped, Timeline, With, drive};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reports::record::{FaultEnd, FaultRecord};
use serde::Deserialize;
use std::{
    io,
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::rig::eventually;

/// A part that does nothing but be there.
#[derive(Debug)]
struct Sleeper {
    child: Mutex<Option<Child>>,
    can_start: AtomicBool,
    /// How often the driver has asked for its process id: when it puts a fault on, and at each look whether that is still on.
    looks: AtomicUsize,
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Self::of(sleeping(With::default()))
    }

    fn of(child: Child) -> Arc<Self> {
        Arc::new(Self { child: Mutex::new(Some(child)), can_start: AtomicBool::new(true), looks: AtomicUsize::new(0) })
    }

    fn id(&self) -> Option<u32> {
        self.child.lock().unwrap().as_ref().map(Child::id)
    }

    /// One that never rests.
    fn busy() -> Arc<Self> {
        Self::of(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) -> Result<(), PartError> {
        let pid = self.id().ok_or_else(|| PartError::Down { attempt: format!("send {signal}") })?;
        kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
        Ok(())
    }

    fn end(&self, signal: Signal) -> Result<(), PartError> {
        self.signal(signal)?;
        self.child.lock().unwrap().take().unwrap().wait().unwrap();
        Ok(())
    }

    fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()?)).ok()?;
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    }

    fn injectors(self: &Arc<Self>) -> Injectors {
        Injectors::new(None, Some(Arc::clone(self) as Arc<dyn Parts>))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn sleeping(with: With) -> Child {
    let limit = with.open_files.map_or_else(String::new, |limit| format!("ulimit -Sn {limit}; "));
    Command::new("sh").args(["-c", &format!("{limit}exec sleep 600")]).spawn().unwrap()
}

impl Parts for Sleeper {
    fn pid(&self, _: &str) -> Option<u32> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.id()
    }

    fn kill<'a>(&'a self, _: &'a str) -> Doing<'a, ()> {
        Box::pin(async { self.end(Signal::SIGKILL) })
    }

    fn stop<'a>(&'a self, _: &'a str) -> Doing<'a, Stopped> {
        Box::pin(async { self.end(Signal::SIGTERM).map(|()| Stopped::InOrder) })
    }

    fn start<'a>(&'a self, _: &'a str, with: With) -> Doing<'a, ()> {
        Box::pin(async move {
            if !self.can_start.load(Ordering::Relaxed) {
                let source = Box::new(io::Error::other("its port is taken"));
                return Err(PartError::Start { attempt: "start the service".to_owned(), source });
            }
            let child = sleeping(with);
            let name = format!("/proc/{}/comm", child.id());
            *self.child.lock().unwrap() = Some(child);
            // Until the shell, which has set its limit, has become the sleeper.
            while std::fs::read_to_string(&name).is_ok_and(|name| name.trim() != "sleep") {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }

    fn pause(&self, _: &str) -> Result<(), PartError> {
        self.signal(Signal::SIGSTOP)
    }

    fn resume(&self, _: &str) -> Result<(), PartError> {
        self.signal(Signal::SIGCONT)
    }
}

fn timeline(fault: &str, lasts: &str) -> Timeline {
    #[derive(Deserialize)]
    struct File {
        faults: Vec<FaultSettings>,
    }
    let settings = format!("part = \"service\"\nat = \"100ms\"\nfor = \"{lasts}\"\nfault = {fault}\nlease = \"200ms\"");
    let file: File = toml::from_str(&format!("[[faults]]\n{settings}")).unwrap();
    Timeline::with_parts(&file.faults, &["client"], &["service"], Duration::from_secs(60)).unwrap()
}

/// Drives one fault to its end.
async fn driven(part: &Arc<Sleeper>, fault: &str) -> FaultRecord {
    let (timeline, origin) = (timeline(fault, "300ms"), Instant::now());
    drive(&timeline, part.injectors(), origin, CancellationToken::new()).await.remove(0)
}

/// Drives one fault that would last for long, in a task of its own.
fn driving(part: &Arc<Sleeper>, fault: &str, stop: &CancellationToken) -> tokio::task::JoinHandle<FaultRecord> {
    let (timeline, injectors, stop) = (timeline(fault, "50s"), part.injectors(), stop.clone());
    tokio::spawn(async move { drive(&timeline, injectors, Instant::now(), stop).await.remove(0) })
}

fn proof(record: &FaultRecord) -> &str {
    &record.part.as_ref().unwrap().proof
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_part_is_gone_and_comes_back_as_another_process() {
    let part = Sleeper::new();
    let before = part.pid("service").unwrap();
    let record = driven(&part, "\"kill\"").await;
    let after = part.pid("service").unwrap();
    assert_ne!(before, after);
    assert_eq!((record.end, record.error.as_ref(), record.link.as_str()), (FaultEnd::Lifted, None, ""));
    let words = proof(&record);
    assert!(words.starts_with(&format!("pid {before} gone ")), "{words}");
    assert!(words.contains(&format!("; pid {after} alive ")), "{words}");
    let (window, undone) = (record.window.unwrap(), record.part.as_ref().unwrap().undone_from_ns.unwrap());
    assert!(window.from_ns >= 100_000_000 && undone >= 400_000_000 && window.to_ns >= undone, "{record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_part_is_stopped_until_the_end_and_goes_on_then() {
    let part = Sleeper::new();
    let stop = CancellationToken::new();
    let driving = driving(&part, "\"pause\"", &stop);
    eventually("it is stopped", async || part.state() == Some('T')).await;
    stop.cancel();
    let record = driving.await.unwrap();
    assert_ne!(part.state(), Some('T'));
    assert_eq!((record.end, record.error.as_ref()), (FaultEnd::LiftedEarly, None));
    assert!(proof(&record).contains("stopped") && proof(&record).contains("after SIGCONT"), "{}", proof(&record));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_somebody_else_ends_is_seen() {
    let part = Sleeper::new();
    let driving = driving(&part, "\"pause\"", &CancellationToken::new());
    eventually("the driver has looked after it", async || part.looks.load(Ordering::Relaxed) >= 2).await;
    part.resume("service").unwrap();
    let record = driving.await.unwrap();
    assert_eq!(record.end, FaultEnd::LeaseExpired);
    assert!(record.error.as_ref().unwrap().contains("the service runs again"), "{record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_over_when_the_part_is_alive_again() {
    for fault in ["\"restart\"", "\"keys_rotated\""] {
        let part = Sleeper::new();
        let before = part.pid("service").unwrap();
        let record = driven(&part, fault).await;
        let after = part.pid("service").unwrap();
        assert_ne!(before, after);
        assert_eq!((record.end, record.error.as_ref()), (FaultEnd::Lifted, None));
        assert!(proof(&record).starts_with(&format!("pid {before} stopped in order after ")), "{record:?}");
        assert!(proof(&record).contains(&format!("pid {after} alive ")), "{record:?}");
        let (window, undone) = (record.window.unwrap(), record.part.as_ref().unwrap().undone_from_ns.unwrap());
        assert!(window.to_ns <= undone && undone >= 400_000_000, "{record:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_descriptors_are_fewer_for_the_time_of_the_fault() {
    let limit = |part: &Sleeper| {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", part.pid("service")?)).ok()?;
        let line = limits.lines().find(|line| line.starts_with("Max open files"))?.to_owned();
        line.split_whitespace().nth(3).map(str::to_owned)
    };
    let part = Sleeper::new();
    let stop = CancellationToken::new();
    let driving = driving(&part, "{ file_descriptors = { limit = 33 } }", &stop);
    eventually("it is limited", async || limit(&part).as_deref() == Some("33")).await;
    stop.cancel();
    let record = driving.await.unwrap();
    assert_eq!((record.end, record.error.as_ref()), (FaultEnd::LiftedEarly, None));
    assert_ne!(limit(&part).as_deref(), Some("33"));
    assert!(proof(&record).contains("limit 33; "), "{record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_wants_a_whole_cpu_is_held_to_its_share() {
    let timeline = timeline("{ cpu_limit = { share = 0.1 } }", "2s");
    if let Err(impossible) = chaos::ensure_possible(&timeline) {
        // Where the rights are missing, a run does not even start, and says why.
        let why = std::error::Error::source(&impossible).unwrap().to_string();
        assert!(why.contains("group"), "{why}");
        return;
    }
    let part = Sleeper::busy();
    let records = drive(&timeline, part.injectors(), Instant::now(), CancellationToken::new()).await;
    let record = &records[0];
    assert_eq!((record.end, record.error.as_ref(), record.effect), (FaultEnd::Lifted, None, None), "{record:?}");
    // It wants all of a CPU for 2 s and gets a tenth, so it is held back in about every period of 100 ms.
    let times = proof(record).split("held back ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(times.parse::<u32>().unwrap() >= 5, "{record:?}");
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", part.pid("service").unwrap())).unwrap();
    assert!(!groups.contains("tripsage-"), "{groups}");
    // Nothing that wants no CPU is held back, and that is seen.
    let idle = Sleeper::new();
    let records = drive(&timeline, idle.injectors(), Instant::now(), CancellationToken::new()).await;
    assert_eq!(records[0].effect, Some(reports::record::FaultEffect::default()), "{records:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_that_is_dropped_brings_the_part_back() {
    let part = Sleeper::new();
    let driving = driving(&part, "\"kill\"", &CancellationToken::new());
    eventually("it is gone", async || part.pid("service").is_none()).await;
    driving.abort();
    eventually("it is back", async || part.pid("service").is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_does_not_start_again_is_an_error_that_says_why() {
    let part = Sleeper::new();
    part.can_start.store(false, Ordering::Relaxed);
    let record = driven(&part, "\"kill\"").await;
    assert_eq!(record.end, FaultEnd::LeftBehind);
    assert_eq!(record.error.as_deref(), Some("cannot start the service: its port is taken"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_recorded_as_never_on() {
    let part = Sleeper::new();
    part.end(Signal::SIGKILL).unwrap();
    for fault in ["\"kill\"", "\"pause\"", "\"restart\""] {
        let record = driven(&part, fault).await;
        assert_eq!((record.end, record.window), (FaultEnd::NeverOn, None));
        assert!(record.error.as_ref().unwrap().ends_with("the service: it is not running"), "{record:?}");
        assert_eq!(part.pid("service"), None, "nothing was started that had not been there");
    }
    let timeline = timeline("\"kill\"", "300ms");
    let records = drive(&timeline, Injectors::default(), Instant::now(), CancellationToken::new()).await;
    assert_eq!(records[0].end, FaultEnd::NeverOn);
    assert!(records[0].error.as_ref().unwrap().contains("no parts of the harness's own"), "{records:?}");
}
