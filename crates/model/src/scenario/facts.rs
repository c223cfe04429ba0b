//! Facts as a scenario's expected file has them, and the log lines that belong to them.

use serde_json::{Value as Json, json};

use crate::{Args, Code, Decision, Model, Said, Source, State};

#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) facts: Vec<Json>,
    log: bool,
}

impl Recorder {
    pub(crate) fn new(log: bool) -> Self {
        Self { facts: vec![], log }
    }

    pub(crate) fn record(&mut self, model: &Model, said: Vec<Said>) {
        for said in said {
            self.fact(model, fact(model, &said));
            if self.log {
                for line in lines(&said) {
                    self.fact(model, json!({ "what": "log", "line": line }));
                }
            }
        }
    }

    fn fact(&mut self, model: &Model, mut fact: Json) {
        fact["at"] = json!(model.now as f64 / 1e6);
        self.facts.push(fact);
    }
}

fn fact(model: &Model, said: &Said) -> Json {
    let mut fact;
    let (code, by);
    match said {
        Said::Decided { job, source, answer, count, .. } => {
            fact = json!({
                "what": "decision", "job": job, "source": source.word(), "decision": answer.decision.word(),
            });
            (code, by) = (Some(answer.code), answer.by);
            if let Some(run) = answer.run {
                fact["run"] = json!(run);
            }
            if let Some(count) = count {
                fact["count"] = json!(count);
            }
        }
        Said::Came { job, run, state, attempt, code: why, by: who, .. } => {
            fact = json!({ "what": "state", "job": job, "run": run, "state": state.word() });
            (code, by) = (*why, *who);
            if *state == State::Running {
                fact["attempt"] = json!(attempt);
                if let Args::Fields(fields) = &model.run(*run).args {
                    fact["args"] = Json::Object((**fields).clone());
                }
            }
        }
    }
    if let Some(code) = code {
        fact["code"] = json!(code.word());
    }
    if let Some(by) = by {
        fact["by"] = json!(by);
    }
    fact
}

/// The lines of the log, without their fields beyond those that are literal.
fn lines(said: &Said) -> Vec<String> {
    match said {
        Said::Came { code: Some(code @ Code::ConcurrentExecutionDetected), .. } => {
            vec![format!("INFO | Final execution check - skipping duplicate monitoring job | reason={code}")]
        }
        Said::Came { .. } => vec![],
        Said::Decided { answer, .. } if answer.replayed => vec![],
        Said::Decided { job, answer, waiting, .. } if answer.decision == Decision::Admitted => vec![
            format!("DEBUG | Job execution allowed | job_type={job} action=scheduled reason=within_limits"),
            format!("INFO | Scheduled job enqueued successfully | job_type={job} pending_count={waiting}"),
        ],
        Said::Decided { job, source, answer, aggressive, .. } => {
            let (decision, code) = (answer.decision, answer.code);
            let of_monitoring = code.is_duplicate() && *aggressive;
            let level_1 = code.is_full() || (of_monitoring && *source == Source::Schedule);
            vec![if decision == Decision::Skipped && level_1 {
                format!(
                    "INFO | Skipping job execution - concurrency limit reached | job_type={job} \
                     action=skipped reason=concurrency_limit"
                )
            } else if of_monitoring {
                format!(
                    "INFO | Deduplicating monitoring job in executor | job_type={job} \
                     aggressive_deduplication=True"
                )
            } else {
                format!("INFO | Trigger decided | job_type={job} action={decision} reason={code}")
            }]
        }
    }
}
