//! What came of each step, and what there is to say in the end.

use std::time::Duration;

use serde_json::{Value, json};

use super::print;

/// No more of a server's own words is shown.
const MAX_WORDS: usize = 200;

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// As it should.
    Well,
    /// The server does not have this, and need not.
    Absent,
    /// Not as it should: one sentence.
    Badly(String),
}

struct Step {
    what: String,
    status: Option<u16>,
    took: Duration,
    end: End,
}

/// All steps so far.
pub(super) struct Report {
    url: String,
    /// Only to keep it from being shown, in case the server repeats it.
    key: String,
    is_shown: bool,
    steps: Vec<Step>,
}

impl Report {
    /// `is_shown`: each step is printed when it is done.
    pub(super) fn new(url: &str, key: &str, is_shown: bool) -> Self {
        Self { url: url.into(), key: key.into(), is_shown, steps: Vec::new() }
    }

    pub(super) fn note(&mut self, what: String, status: Option<u16>, took: Duration, end: End) {
        let end = match end {
            End::Badly(sentence) => End::Badly(self.cleaned(&sentence)),
            end => end,
        };
        let step = Step { what, status, took, end };
        if self.is_shown {
            print(&step.line());
        }
        self.steps.push(step);
    }

    pub(super) fn failed(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.end, End::Badly(_))).count()
    }

    /// One line for people.
    pub(super) fn summary(&self) -> String {
        let (mean, longest) = self.latency();
        let failed = match self.failed() {
            0 => "all well".into(),
            failed => format!("{failed} FAILED"),
        };
        format!("{} steps, {failed}; latency: mean {mean:.1} ms, longest {longest:.1} ms\n", self.steps.len())
    }

    /// All of it for programs.
    pub(super) fn json(&self) -> String {
        let (mean, longest) = self.latency();
        let steps: Vec<Value> = self.steps.iter().map(Step::json).collect();
        let report = json!({
            "url": self.url,
            "steps": steps,
            "count": self.steps.len(),
            "failed": self.failed(),
            "mean_ms": rounded(mean),
            "max_ms": rounded(longest),
        });
        format!("{report}\n")
    }

    /// Mean and longest, in milliseconds, of the steps that were answered.
    fn latency(&self) -> (f64, f64) {
        let times: Vec<f64> = self.steps.iter().filter(|step| step.status.is_some()).map(Step::ms).collect();
        let mean = times.iter().fold(0.0, |sum, ms| sum + ms) / times.len().max(1) as f64;
        (mean, times.into_iter().fold(0.0, f64::max))
    }

    /// In one line, not long, and without the key.
    fn cleaned(&self, sentence: &str) -> String {
        let sentence = if self.key.is_empty() { sentence.into() } else { sentence.replace(&self.key, "(the key)") };
        let plain = sentence.chars().map(|c| if c.is_control() { ' ' } else { c });
        plain.take(MAX_WORDS).collect()
    }
}

impl Step {
    fn ms(&self) -> f64 {
        self.took.as_secs_f64() * 1e3
    }

    fn line(&self) -> String {
        let status = self.status.map_or("---".into(), |status| status.to_string());
        let (word, why) = match &self.end {
            End::Well => ("ok", String::new()),
            End::Absent => ("none", ": optional, and this server has none".into()),
            End::Badly(sentence) => ("FAILED", format!(": {sentence}")),
        };
        format!("{word:<7}{:>9.1} ms  {status}  {}{why}\n", self.ms(), self.what)
    }

    fn json(&self) -> Value {
        let (end, error) = match &self.end {
            End::Well => ("ok", None),
            End::Absent => ("none", None),
            End::Badly(sentence) => ("failed", Some(sentence)),
        };
        json!({"step": self.what, "status": self.status, "ms": rounded(self.ms()), "result": end, "error": error})
    }
}

/// To microseconds.
fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_and_the_key_is_never_shown() {
        let mut report = Report::new("http://a", "hush", false);
        let ms = Duration::from_millis;
        report.note("GET /rooms".into(), Some(200), ms(10), End::Well);
        report.note("POST /readconfirmation".into(), Some(404), ms(30), End::Absent);
        report.note("POST /user".into(), None, ms(500), End::Badly("your key hush\nis\u{1b}[31m wrong".into()));
        assert_eq!(report.summary(), "3 steps, 1 FAILED; latency: mean 20.0 ms, longest 30.0 ms\n");
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["count"], &json["failed"], &json["max_ms"]), (&json!(3), &json!(1), &json!(30.0)));
        assert_eq!(json["steps"][2]["error"], json!("your key (the key) is [31m wrong"));
        assert_eq!(report.steps[0].line(), "ok          10.0 ms  200  GET /rooms\n");
    }
}
