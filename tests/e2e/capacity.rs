//! `harness capacity` against a server whose limit is known, and what it says when there is nothing to find.
use crate::program::{Workplace, wait_until};
use axum::{Router, http::StatusCode, routing::get};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Instant,
};

const LIMITED: &str = include_str!("data/limited.toml");

/// Good answers that a server gives each second, on average; it saves up a quarter of a second's worth.
struct Allowance {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let saved = self.left + (now - self.at).as_secs_f64() * self.per_second;
        (self.left, self.at) = (saved.min(self.per_second / 4.0), now);
        let is_there = self.left >= 1.0;
        self.left -= if is_there { 1.0 } else { 0.0 };
        is_there
    }
}

/// A server on a free port, for as long as the test's process lives.
fn server(per_second: f64) -> String {
    let allowance = Arc::new(Mutex::new(Allowance { per_second, left: per_second / 4.0, at: Instant::now() }));
    let answer = move || {
        let is_there = allowance.lock().unwrap().take();
        async move { if is_there { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE } }
    };
    let router = Router::new().route("/health/live", get(async || StatusCode::OK)).route("/thing", get(answer));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap()
        });
    });
    url
}

/// The folder of the only study.
fn study_folder(place: &Workplace) -> PathBuf {
    let studies: Vec<_> = fs::read_dir(place.path().join("studies")).unwrap().flatten().collect();
    assert_eq!(studies.len(), 1, "{studies:?}");
    studies[0].path()
}

const SHORT_TRIALS: [&str; 6] = ["--trial-duration", "5s", "--settle", "1s", "--out", "studies"];

#[test]
fn the_limit_of_a_server_is_found_and_never_overstated() {
    let place = Workplace::new(LIMITED);
    fs::write(place.path().join("growth.csv"), "date,rate\n2026-09-01,20\n2026-09-08,21\n").unwrap();
    let url = server(40.0);
    let output = place
        .command(&["capacity", "./scenario.toml", "--target", &url, "--budget", "25s", "--no-overload"])
        .args(["--price", "0.36 EUR", "--growth", "growth.csv", "--format", "json"])
        .args(SHORT_TRIALS)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}\n{err}", String::from_utf8_lossy(&output.stdout));
    let study: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document and nothing else");
    // 30 % may be refused: 40 / (1 − 0.3) = 57.1 arrivals a second, and 5 % for the chance of 15 s.
    let sustained = study["sustained_per_second"].as_f64().unwrap();
    assert!((40.0..60.0).contains(&sustained), "{sustained}\n{err}");
    assert_eq!(study["standing"], "enough");
    let claim = &study["study"]["claim"];
    if let Some(violated) = claim["violated_per_second"].as_f64() {
        assert!(violated > 54.0, "{violated} is not too much\n{err}");
    }
    let tried = claim["tried"].as_array().unwrap();
    assert_eq!(tried.last().unwrap()["trial"]["purpose"], "confirm", "the claim rests on a confirmation: {claim}");
    assert!(
        study["refusals"].as_array().unwrap().iter().any(|refusal| refusal.as_str().unwrap().starts_with("forecast"))
    );
    let left_apart = study["study"]["left_apart"].as_array().unwrap();
    assert!(left_apart.len() == 1 && left_apart[0].as_str().unwrap().starts_with("dropped = 0"), "{left_apart:?}");
    // One good answer in ten thousand hours of a cent: replicas, price and demand in, a cost out.
    let purchase = &study["purchases"][0];
    assert!(purchase["cost_per_thousand_good"].as_f64().is_some_and(|cost| cost > 0.0), "{purchase}");

    let folder = study_folder(&place);
    for name in
        ["study.json", "capacity.html", "capacity.md", "capacity.txt", "scenario.toml", "charts/goodput-over-rate.png"]
    {
        assert!(fs::metadata(folder.join(name)).is_ok_and(|file| file.len() > 0), "{name} is there");
    }
    let trials: Vec<_> = fs::read_dir(folder.join("trials")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(trials.len(), tried.len(), "each trial leaves a run: {trials:?}");
    assert!(trials.iter().all(|trial| reports::record::folder::read_run(trial).is_ok()));
}

#[test]
fn levels_that_cannot_be_kept_are_proven_to_be_violated() {
    let place = Workplace::new(LIMITED);
    let url = server(0.0);
    let output = place
        .command(&["capacity", "./scenario.toml", "--target", &url, "--min-rate", "20/s", "--expected", "20/s"])
        .args(SHORT_TRIALS)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{out}\n{err}");
    assert!(out.starts_with("TOO LITTLE (exit 3)  no rate was confirmed; proven to violate at 20.0/s"), "{out}");
    assert!(err.contains("violated: 100 % violate error-rate < 30%"), "{err}");
}

#[test]
fn an_interrupted_search_says_what_is_proven_by_then() {
    let place = Workplace::new(LIMITED);
    let url = server(1_000.0);
    let mut child = place
        .command(&["capacity", "./scenario.toml", "--target", &url])
        .args(SHORT_TRIALS)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let trials = || {
        let studies = fs::read_dir(place.path().join("studies")).into_iter().flatten().flatten();
        studies.flat_map(|study| fs::read_dir(study.path().join("trials")).into_iter().flatten().flatten()).count()
    };
    wait_until("the second trial", || trials() >= 2);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    wait_until("the program's end", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(out.contains("no rate was confirmed") && out.contains("stopped before it was done"), "{out}");
    assert!(study_folder(&place).join("study.json").is_file());
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_starts() {
    let place = Workplace::new(LIMITED);
    fs::write(place.path().join("gateless.toml"), LIMITED.replace("gates =", "# gates =")).unwrap();
    fs::write(place.path().join("wrong.csv"), "date,rate\n2026-09-01,fast\n").unwrap();
    let limited = "./scenario.toml";
    for (arguments, said) in [
        (&["./gateless.toml"][..], "has no gate that a rate could be judged by"),
        (&[limited, "--slo", "wrong = 0"], "has no gate that a rate could be judged by"),
        (&[limited, "--slo", "p95 fast"], "in --slo `p95 fast`"),
        (&[limited, "--min-rate", "0.1/s"], "has too few requests then for `error-rate < 30%`"),
        (&[limited, "--max-rate", "0.1/s"], "must be positive and in order"),
        (&[limited, "--budget", "10s"], "a search needs at least 2 trials"),
        (&[limited, "--trial-duration", "1500ms"], "not a number of whole seconds from 5s on"),
        (&[limited, "--under", "flights"], "the scenario has none"),
        (&[limited, "--under", "link = \"nowhere\", fault = \"down\""], "there is no link `nowhere`"),
        (&[limited, "--under", "link = \"llm\""], "missing field `fault`"),
        (&[limited, "--growth", "wrong.csv"], "line 2"),
        (&[limited, "--price", "cheap"], "not a price"),
    ] {
        let output = place.harness(&[&["capacity"], arguments].concat());
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(err.contains(said) && !err.contains("panicked"), "{arguments:?}: {err}");
    }
    assert!(!place.path().join("reports").exists(), "nothing is started or written");
    let dry = place.harness(&["capacity", limited, "--dry-run"]);
    let out = String::from_utf8_lossy(&dry.stdout);
    assert_eq!(dry.status.code(), Some(0), "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(out.contains("keep     error-rate < 30%") && out.contains("not      dropped = 0"), "{out}");
}
