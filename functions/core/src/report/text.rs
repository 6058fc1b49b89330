//! The text form: `REPORT RequestId: …\tDuration: 3.05 ms\tBilled Duration: 4 ms\t…`.

use super::{Disturbance, Found, Report, ReportError, Status, milliseconds, whole};

pub(super) fn last(tail: &str) -> Option<Found> {
    let mut position = tail.len();
    for line in tail.rsplit('\n') {
        position -= line.len();
        if is_report(line, position) {
            return Some(Found { position, report: read(line) });
        }
        position = position.saturating_sub(1);
    }
    None
}

/// A line that starts as a REPORT does; or the tail's first one, whose start is cut off, if its figures are all there.
fn is_report(line: &str, position: usize) -> bool {
    line.starts_with("REPORT RequestId:")
        || (position == 0 && line.contains("\tDuration: ") && line.contains("\tBilled Duration: "))
}

fn read(line: &str) -> Result<Report, ReportError> {
    let field = |name: &'static str| -> Option<&str> {
        line.split('\t').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let time = |name: &'static str| -> Result<Option<f64>, ReportError> {
        field(name).map(|text| amount(name, text, "ms")).transpose()
    };
    let size =
        |name: &'static str| field(name).and_then(|text| amount(name, text, "MB").ok()).map(|mb| mb as u32);

    Ok(Report {
        duration_ms: time("Duration")?.ok_or(ReportError::Incomplete("Duration"))?,
        init_duration_ms: time("Init Duration")?,
        restore_duration_ms: time("Restore Duration")?,
        billed_duration_ms: time("Billed Duration")?
            .map(whole)
            .ok_or(ReportError::Incomplete("Billed Duration"))?,
        billed_restore_duration_ms: time("Billed Restore Duration")?.map(whole),
        memory_size: size("Memory Size"),
        max_memory_used: size("Max Memory Used"),
        status: field("Status").map(Status::read).unwrap_or_default(),
        error_type: field("Error Type").map(str::to_owned),
        disturbance: time("Local Delay")?
            .map(|delay_ms| Disturbance { delay_ms, repeat: field("Local Repeat") == Some("true") }),
    })
}

fn amount(name: &'static str, text: &str, unit: &str) -> Result<f64, ReportError> {
    let number = text.strip_suffix(unit).unwrap_or(text).trim();
    match number.parse() {
        Ok(value) => milliseconds(name, value),
        Err(_) => Err(ReportError::NotANumber { field: name, value: text.chars().take(40).collect() }),
    }
}
