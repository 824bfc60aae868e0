//! Bad input: what, where, why and how to fix it, with its exit code; never a panic, never a process left.
use crate::program::{SHORT, Workplace};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Output,
};

fn refused(output: &Output, code: i32, said: &[&str]) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    for part in said {
        assert!(err.contains(part), "`{part}` in:\n{err}");
    }
    assert!(!err.contains("panicked"), "{err}");
}

fn rejected_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/tests/rejected")
}

/// Each `rejected/NAME.toml` has its exact message beside it in `NAME.txt`; `UPDATE=1` writes the messages.
#[test]
fn each_rejected_scenario_has_its_exact_message() {
    let place = Workplace::new("");
    let mut files: Vec<PathBuf> =
        fs::read_dir(rejected_folder()).unwrap().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        fs::copy(&path, place.path().join(name)).unwrap();
        let output = place.harness(&["run", &format!("./{name}")]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(output.stdout.is_empty(), "{name}");
        let message = String::from_utf8(output.stderr).unwrap();
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &message).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(message, expected, "{name}: run again with UPDATE=1 and review the difference");
    }
    assert!(!place.path().join("reports").exists(), "nothing is started or written");
}

#[test]
fn an_unknown_scenario_names_where_to_look() {
    refused(
        &Workplace::new("").harness(&["run", "quickstrat"]),
        2,
        &["no scenario `quickstrat`", "harness scenario list"],
    );
    refused(&Workplace::new("").harness(&["run", "./missing.toml"]), 2, &["cannot read scenario ./missing.toml"]);
}

#[test]
fn an_unreachable_target_is_told_apart_from_a_wrong_one() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scenario: String = SHORT.split("[target.service]").next().unwrap().to_owned()
        + SHORT
            .split_once("[load]")
            .map(|(_, load)| "[load]".to_owned() + load)
            .unwrap()
            .split("[[faults]]")
            .next()
            .unwrap();
    let place = Workplace::new(&scenario.replace("    \"p50 < 20s for flights.search window=during\",\n", ""));
    let run = |url: &str| place.harness(&["run", "./scenario.toml", "--out", "runs", "--target", url]);
    refused(&run(&format!("http://{closed}")), 75, &["cannot reach", "is the service running there?"]);
    refused(&run("http://192.0.2.1:8000"), 2, &["192.0.2.1 is beyond loopback", "--allow-host"]);
    refused(&run("ftp://127.0.0.1:8000"), 2, &["neither with http:// nor with https://"]);
}

#[test]
fn a_port_in_use_says_which_and_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&Workplace::new("").harness(&["links", "--api", &address]), 75, &[&address, "choose --api"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_starts() {
    let place = Workplace::new(SHORT);
    fs::write(place.path().join("file"), "").unwrap();
    refused(&place.harness(&["run", "./scenario.toml", "--out", "file/runs"]), 75, &["cannot write", "--out"]);
}

#[test]
fn flags_that_cannot_be_are_refused_by_name() {
    let place = Workplace::new(SHORT);
    let run = |flags: &[&str]| place.harness(&[&["run", "./scenario.toml"], flags].concat());
    refused(&run(&["--rate", "fast"]), 2, &["--rate", "does not start with a number"]);
    refused(&run(&["--duration", "10"]), 2, &["--duration", "ms, s, m, h"]);
    refused(&run(&["--threshold", "p95 <"]), 2, &["--threshold"]);
    refused(&run(&["--abort-on", "p95 < 1s abort after 9"]), 2, &["--abort-on", "`9` is not a time"]);
    refused(&run(&["--abort-on", "wrong = 0 window=3s..9s"]), 2, &["of a flag", "`3s..9s` reaches beyond the load"]);
    refused(&run(&["--dashboard=0.0.0.0:0"]), 2, &["0.0.0.0 is beyond loopback", "--allow-host 0.0.0.0"]);
    refused(&run(&["--otlp", "http://192.0.2.1"]), 2, &["192.0.2.1 is beyond loopback", "--allow-host"]);
    refused(&run(&["--users", "0"]), 2, &["`users` must be more than 0"]);
    refused(&run(&["--frobnicate"]), 2, &["--frobnicate"]);
}

#[test]
fn a_run_that_is_not_there_cannot_be_reported() {
    refused(&Workplace::new("").harness(&["report", "latest"]), 2, &["cannot read reports/runs"]);
    refused(&Workplace::new("").harness(&["report", "nonesuch"]), 2, &["there is no run `nonesuch`"]);
}

#[test]
fn a_file_of_links_that_cannot_be_used_says_what_is_wrong_with_it() {
    let place = Workplace::new("");
    let links = |file: &str| place.harness(&["links", "--api", "127.0.0.1:0", "--config", file]);
    refused(&links("missing.json"), 2, &["cannot read missing.json", "write proxies as"]);
    fs::write(place.path().join("links.json"), "[{ \"name\": \"a\" }]").unwrap();
    refused(
        &links("links.json"),
        2,
        &["cannot make the links of links.json", "missing required field: upstream at proxy 1"],
    );
}

#[test]
fn a_fault_that_a_real_toxiproxy_lacks_is_refused_before_the_run() {
    let toxiproxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = toxiproxy.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = toxiproxy.accept().unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        let body = "{\"version\": \"2.12.0\"}\n";
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
    });
    let fault = "[[faults]]\nlink = \"llm\"\nat = \"1s\"\nfor = \"1s\"\nfault = \"blackhole\"\n";
    let place = Workplace::new(&format!("{SHORT}\n{fault}\n[links]\napi = \"http://{api}\"\n"));
    let said = ["is a Toxiproxy, which has no `blackhole`", "run `harness links` in its place"];
    refused(&place.harness(&["run", "./scenario.toml", "--out", "runs"]), 2, &said);
}
