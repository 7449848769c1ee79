//! Simulated meetings from the command line: many seeds, one seed in full, or runs without a safeguard.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use incamera_meeting::Record;
use incamera_sim::{Campaign, Failure, Outcome, Rule, sabotage_all, simulate};
use serde_json::json;

/// Seeds in which a missing safeguard must show.
const SABOTAGE_SEEDS: u64 = 200;

/// Simulates whole meetings on virtual time and checks their invariants after every step.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// How many seeds; 100, or 200 with --sabotage, unless given.
    #[arg(long)]
    seeds: Option<u64>,
    /// Runs one seed and prints everything that happened in it.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Writes what happened in the one seed to this file, for `incamera-cli replay`.
    #[arg(long, value_name = "FILE", requires = "seed")]
    record: Option<PathBuf>,
    /// Switches one safeguard off in every participant; exit status 1 when that is caught. `all` tries each and
    /// succeeds when all are caught, `list` names them.
    #[arg(long)]
    sabotage: Option<String>,
    /// Ends with one line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let rule = match arguments.sabotage.as_deref() {
        None => None,
        Some("list") => {
            Rule::all().iter().try_for_each(|rule| writeln!(out, "{}", rule.name))?;
            return Ok(ExitCode::SUCCESS);
        }
        Some("all") => return try_all(&mut out, &arguments),
        Some(name) => match Rule::named(name) {
            Some(rule) => Some(rule),
            None => {
                writeln!(io::stderr(), "sim: there is no rule {name}; --sabotage list names them")?;
                return Ok(ExitCode::from(2));
            }
        },
    };
    if let Some(seed) = arguments.seed {
        return show(&mut out, seed, rule, &arguments);
    }
    let seeds = arguments.seeds.unwrap_or(if rule.is_some() { SABOTAGE_SEEDS } else { 100 });
    let campaign = Campaign { first_seed: arguments.first_seed, seeds, rule };
    let outcome = campaign.run(|done| {
        if done.is_multiple_of(25) || done == seeds {
            // Progress is a courtesy: a closed standard error does not stop the campaign.
            writeln!(io::stderr(), "sim: {done} of {seeds} seeds").ok();
        }
    });
    report(&mut out, &outcome, rule, arguments.json)
}

/// Writes a recording; under its name there is a complete one or none.
fn record(file: &Path, records: &[Record]) -> io::Result<()> {
    let part = file.with_added_extension("part");
    let mut out = BufWriter::new(File::create(&part)?);
    for record in records {
        serde_json::to_writer(&mut out, record)?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(part, file)
}

fn show(out: &mut impl Write, seed: u64, rule: Option<Rule>, arguments: &Arguments) -> io::Result<ExitCode> {
    let report = simulate(seed, rule);
    if let Some(file) = &arguments.record
        && let Err(why) = record(file, &report.records)
    {
        writeln!(io::stderr(), "sim: {} cannot be written: {why}", file.display())?;
        return Ok(ExitCode::from(2));
    }
    report.trace.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let failures: Vec<Failure> = report.broken.map(|what| Failure { seed, what }).into_iter().collect();
    for failure in &failures {
        writeln!(out, "FAILED {}", failure.what)?;
    }
    if arguments.json {
        let events: serde_json::Map<_, _> =
            report.counts.iter().map(|(kind, count)| (kind.to_owned(), json!(count))).collect();
        let failures: Vec<_> = failures.iter().map(as_object).collect();
        let line = json!({ "ok": failures.is_empty(), "seeds": 1, "events": events, "failures": failures });
        writeln!(out, "{line}")?;
        return Ok(status(failures.is_empty()));
    }
    Ok(status(failures.is_empty()))
}

fn report(
    out: &mut impl Write,
    outcome: &Outcome,
    rule: Option<Rule>,
    as_json: bool,
) -> io::Result<ExitCode> {
    for (kind, count) in outcome.counts.iter() {
        writeln!(out, "{count:>10}  {kind}")?;
    }
    let without = rule.map(|rule| format!(" --sabotage {}", rule.name)).unwrap_or_default();
    for Failure { seed, what } in &outcome.failures {
        writeln!(out, "FAILED seed {seed}: {what}\n       replay: ./dev sim --seed {seed}{without}")?;
    }
    let rare = if rule.is_some() { Vec::new() } else { outcome.counts.rare(outcome.seeds) };
    for (kind, count, demand) in &rare {
        writeln!(out, "RARE   {kind}: {count}, at least {demand} expected")?;
    }
    if let (Some(rule), first) = (rule, outcome.failures.first()) {
        match first {
            Some(failure) => writeln!(out, "{} caught at seed {}", rule.name, failure.seed)?,
            None => writeln!(out, "{} not caught in {} seeds", rule.name, outcome.seeds)?,
        }
    }
    let ok = outcome.failures.is_empty() && rare.is_empty();
    if as_json {
        let events: serde_json::Map<_, _> =
            outcome.counts.iter().map(|(kind, count)| (kind.to_owned(), json!(count))).collect();
        let failures: Vec<_> = outcome.failures.iter().map(as_object).collect();
        let rare: Vec<_> = rare.iter().map(|(kind, ..)| *kind).collect();
        let line = json!({
            "ok": ok, "seeds": outcome.seeds, "events": events, "failures": failures, "rare": rare,
        });
        writeln!(out, "{line}")?;
    }
    Ok(status(ok))
}

fn try_all(out: &mut impl Write, arguments: &Arguments) -> io::Result<ExitCode> {
    let tried = sabotage_all(arguments.first_seed, |name, caught| {
        let line = match caught {
            Some(failure) => format!("{name}: caught at seed {}: {}", failure.seed, failure.what),
            None => format!("{name}: NOT CAUGHT"),
        };
        writeln!(io::stderr(), "sim: {line}").ok();
    });
    let missed: Vec<&str> =
        tried.iter().filter(|(_, caught)| caught.is_none()).map(|(name, _)| *name).collect();
    writeln!(out, "{} of {} rules caught", tried.len() - missed.len(), tried.len())?;
    if arguments.json {
        let rules: serde_json::Map<_, _> = tried
            .iter()
            .map(|(name, caught)| ((*name).to_owned(), json!(caught.as_ref().map(|failure| failure.seed))))
            .collect();
        writeln!(out, "{}", json!({ "ok": missed.is_empty(), "caught_at": rules, "missed": missed }))?;
    }
    Ok(status(missed.is_empty()))
}

fn as_object(failure: &Failure) -> serde_json::Value {
    json!({ "seed": failure.seed, "what": failure.what })
}

fn status(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
