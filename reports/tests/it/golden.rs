//! The pages of one run, kept as files: a change of a page is reviewed as their difference. `UPDATE=1` writes them anew.
use crate::synthetic::{Draft, quickstart_folder, quickstart_report, short};
use reports::{
    render::{plain, render_all, render_pngs, run_page, terminal},
    verdict::Overall,
};
use std::{path::Path, sync::Mutex};

/// The folder is shared, and pages are written into it.
static PAGES: Mutex<()> = Mutex::new(());

pub(crate) fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is not the golden page; see the difference with UPDATE=1 and git diff\n{found}");
}

#[test]
fn the_pages_of_a_run_with_a_fault_are_the_golden_ones() {
    let _one = PAGES.lock().unwrap();
    let folder = quickstart_folder();
    let written = render_all(folder).unwrap();
    assert_eq!(written.report.verdict.overall, Overall::Failed);
    let summary = terminal(&written.report, plain);
    let lines: Vec<&str> = summary.lines().collect();
    assert!(lines.len() <= 60, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "wider than 100 columns:\n{summary}");
    assert!(lines[0].starts_with("FAILED (exit 3)"), "{}", lines[0]);
    golden("quickstart.txt", &summary);
    golden("quickstart.md", &std::fs::read_to_string(folder.join("report.md")).unwrap());
    golden("quickstart.json", &without_parts(&std::fs::read_to_string(folder.join("summary.json")).unwrap()));
}

/// The document with the figures of all requests only: those of each journey and step look the same.
fn without_parts(document: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(document).unwrap();
    let figures = value["figures"].as_array_mut().unwrap();
    assert!(figures.iter().any(|figures| figures["name"] == "chat.message" && figures["window"] == "during"));
    figures.retain(|figures| figures["scope"] == "all");
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

#[test]
fn the_html_page_needs_nothing_but_itself() {
    let page = run_page(quickstart_report()).unwrap();
    for forbidden in ["<script", "src=", "href=", "url(", "@import", "<link"] {
        assert!(!page.contains(forbidden), "the page has {forbidden}");
    }
    // The only addresses are the name of SVG and the target's.
    let rest = page.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1:38411", "");
    assert!(!rest.contains("http"), "the page names another address");
    for part in
        ["What happened", "Gates", "Percentile spectrum", "Streams", "Faults", "Validity", "Meter", "Environment"]
    {
        assert!(page.contains(&format!("<h2>{part}</h2>")), "{part} is missing");
    }
    let colours = page.split("fill=\"#").count() + page.split("stroke=\"#").count();
    assert_eq!(colours, 2, "a colour of a chart is not a variable of the page");
    assert!(page.contains("stroke-dasharray"), "service times are dashed");
}

#[test]
fn what_a_scenario_says_cannot_become_markup() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.run.scenario.title = "<script>alert(1)</script>".to_owned();
    draft.run.faults[0].name = "\"><img onerror=x>".to_owned();
    draft.run.phases.iter_mut().for_each(|phase| phase.faults.clear());
    let folder = draft.write(root.path());
    render_all(&folder).unwrap();
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img"));
}

#[test]
fn charts_are_drawn_as_png() {
    let files = render_pngs(quickstart_folder()).unwrap();
    assert_eq!(files.len(), 7, "load, three latencies, spectrum, outcomes, stream");
    for file in files {
        let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&file).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!((reader.info().width, reader.info().height), (1920, 644), "{file:?}");
        let ink = pixels.chunks(3).filter(|pixel| *pixel != [255, 255, 254]).count();
        assert!(ink > 2_000, "{file:?} is empty");
    }
}
