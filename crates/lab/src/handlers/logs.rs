//! Amazon CloudWatch Logs.

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, millis};
use crate::wire::{ApiError, Input};
use crate::world::{LogEvent, LogGroup, LogStream};

const fn row(
    name: &'static str,
    effect: Effect,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "logs",
        name,
        effect,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    row(
        "DescribeLogGroups",
        Effect::Reads,
        all_groups,
        describe_groups,
    ),
    row(
        "DescribeLogStreams",
        Effect::Reads,
        |call| on_group(call, "logs:DescribeLogStreams"),
        describe_streams,
    ),
    row(
        "FilterLogEvents",
        Effect::Reads,
        |call| on_group(call, "logs:FilterLogEvents"),
        filter,
    ),
    row("GetLogEvents", Effect::Reads, get_needs, get),
    row(
        "CreateLogGroup",
        Effect::Mutates,
        |call| on_group(call, "logs:CreateLogGroup"),
        create,
    ),
    row(
        "PutRetentionPolicy",
        Effect::Mutates,
        |call| on_group(call, "logs:PutRetentionPolicy"),
        put_retention,
    ),
];

const INVALID: &str = "InvalidParameterException";
const PAGES: Paging = Paging {
    size: "limit",
    token: "nextToken",
    default: 50,
    most: 50,
    bad_token: INVALID,
};
/// `FilterLogEvents` and `GetLogEvents` give at most this many events at once.
const EVENTS: Paging = Paging {
    default: 10_000,
    most: 10_000,
    ..PAGES
};

/// The group's name, whether the request names it or gives its ARN.
fn group_name(input: &Input) -> Option<&str> {
    input.text("logGroupName").or_else(|| {
        let identifier = input.text("logGroupIdentifier")?;
        let name = identifier
            .split_once(":log-group:")
            .map_or(identifier, |(_, name)| name);
        Some(name.trim_end_matches(":*"))
    })
}

fn group_arn(call: &Call<'_>, rest: &str) -> String {
    let name = group_name(call.input).unwrap_or("*");
    call.arn("logs", &format!("log-group:{name}{rest}"))
}

fn all_groups(call: &Call<'_>) -> Vec<Need> {
    vec![Need::on(
        "logs:DescribeLogGroups",
        call.arn("logs", "log-group::log-stream:"),
    )]
}

fn on_group(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    vec![Need::on(action, group_arn(call, ":*"))]
}

fn get_needs(call: &Call<'_>) -> Vec<Need> {
    let stream = call.input.text("logStreamName").unwrap_or("*");
    vec![Need::on(
        "logs:GetLogEvents",
        group_arn(call, &format!(":log-stream:{stream}")),
    )]
}

fn group<'a>(call: &'a Call<'_>) -> Result<&'a LogGroup, ApiError> {
    let name = group_name(call.input).ok_or_else(|| {
        ApiError::invalid(INVALID, "logGroupName or logGroupIdentifier is required")
    })?;
    call.here().log_groups.get(name).ok_or_else(|| {
        ApiError::invalid(
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        )
    })
}

fn describe_groups(call: &mut Call<'_>) -> Answer {
    let input = call.input;
    let prefix = input.text("logGroupNamePrefix").unwrap_or_default();
    let pattern = input
        .text("logGroupNamePattern")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let identifiers = input.texts("logGroupIdentifiers");
    let chosen = call.here().log_groups.values().filter(|group| {
        group.name.starts_with(prefix)
            && group.name.to_ascii_lowercase().contains(&pattern)
            && (identifiers.is_empty()
                || identifiers
                    .iter()
                    .any(|id| *id == group.name || *id == group.arn))
    });
    let (chosen, next) = page(chosen, input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|group| {
            let events = group.streams.values().flat_map(|stream| &stream.events);
            let bytes: usize = events.map(|event| event.message.len() + 26).sum();
            json!({
                "logGroupName": group.name,
                "creationTime": millis(group.created_at),
                "retentionInDays": group.retention_days,
                "metricFilterCount": 0,
                "arn": format!("{}:*", group.arn),
                "logGroupArn": group.arn,
                "logGroupClass": "STANDARD",
                "storedBytes": bytes,
            })
        })
        .collect();
    Ok(compact(json!({"logGroups": list, "nextToken": next})))
}

fn describe_streams(call: &mut Call<'_>) -> Answer {
    let (group, input) = (group(call)?, call.input);
    let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
    let mut streams: Vec<&LogStream> = group
        .streams
        .values()
        .filter(|stream| stream.name.starts_with(prefix))
        .collect();
    if input.text("orderBy") == Some("LastEventTime") {
        streams.sort_by_key(|stream| stream.events.last().map(|event| event.at));
    }
    if input.flag("descending") == Some(true) {
        streams.reverse();
    }
    let (streams, next) = page(streams, input, PAGES)?;
    let list: Vec<Value> = streams
        .into_iter()
        .map(|stream| {
            json!({
                "logStreamName": stream.name,
                "creationTime": millis(stream.created_at),
                "firstEventTimestamp": stream.events.first().map(|event| millis(event.at)),
                "lastEventTimestamp": stream.events.last().map(|event| millis(event.at)),
                "lastIngestionTime": stream.events.last().map(|event| millis(event.at)),
                "uploadSequenceToken": stream.written.to_string(),
                "arn": format!("{}:log-stream:{}", group.arn, stream.name),
                "storedBytes": 0,
            })
        })
        .collect();
    Ok(compact(json!({"logStreams": list, "nextToken": next})))
}

/// The events of the request's time range: start inclusive, end exclusive.
fn in_range(input: &Input) -> impl Fn(&LogEvent) -> bool {
    let start = input.integer("startTime").unwrap_or(i64::MIN);
    let end = input.integer("endTime").unwrap_or(i64::MAX);
    move |event| (start..end).contains(&event.at.timestamp_millis())
}

fn filter(call: &mut Call<'_>) -> Answer {
    let (group, input) = (group(call)?, call.input);
    let names = input.texts("logStreamNames");
    let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
    let pattern = Pattern::parse(input.text("filterPattern").unwrap_or_default())?;
    let in_range = in_range(input);
    let mut events: Vec<(&LogStream, &LogEvent)> = group
        .streams
        .values()
        .filter(|stream| stream.name.starts_with(prefix))
        .filter(|stream| names.is_empty() || names.contains(&stream.name.as_str()))
        .flat_map(|stream| stream.events.iter().map(move |event| (stream, event)))
        .filter(|(_, event)| in_range(event) && pattern.matches(&event.message))
        .collect();
    events.sort_by_key(|(_, event)| event.at);
    let (events, next) = page(events, input, EVENTS)?;
    let list: Vec<Value> = events
        .into_iter()
        .map(|(stream, event)| {
            json!({
                "logStreamName": stream.name,
                "timestamp": millis(event.at),
                "message": event.message,
                "ingestionTime": millis(event.at),
                "eventId": event_id(stream, event),
            })
        })
        .collect();
    Ok(compact(
        json!({"events": list, "searchedLogStreams": [], "nextToken": next}),
    ))
}

/// 56 digits, unique in the group, as AWS's are.
fn event_id(stream: &LogStream, event: &LogEvent) -> String {
    let sum = stream.name.bytes().fold(7_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    format!(
        "{:0>16}{sum:0>20}{:0>20}",
        event.at.timestamp_millis(),
        event.number
    )
}

fn get(call: &mut Call<'_>) -> Answer {
    let (group, input) = (group(call)?, call.input);
    let name = input.required("logStreamName", INVALID)?;
    let stream = group.streams.get(name).ok_or_else(|| {
        ApiError::invalid(
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        )
    })?;
    let in_range = in_range(input);
    let events: Vec<&LogEvent> = stream
        .events
        .iter()
        .filter(|event| in_range(event))
        .collect();
    let limit = input
        .integer("limit")
        .and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(EVENTS.most).clamp(1, EVENTS.most);
    // Tokens carry a direction and a position; at the end AWS gives the same token again.
    let bad = || ApiError::invalid(INVALID, "The specified nextToken is invalid.");
    let position = |text: &str| text.parse::<usize>().map_err(|_| bad());
    let (from, to) = match input.text("nextToken").map(|token| token.split_once('/')) {
        Some(Some(("f", at))) => {
            let from = position(at)?.min(events.len());
            (from, (from + limit).min(events.len()))
        }
        Some(Some(("b", at))) => {
            let to = position(at)?.min(events.len());
            (to.saturating_sub(limit), to)
        }
        Some(_) => return Err(bad()),
        None if input.flag("startFromHead") == Some(true) => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
    };
    let list: Vec<Value> = events
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .map(|event| {
            json!({
                "timestamp": millis(event.at),
                "message": event.message,
                "ingestionTime": millis(event.at),
            })
        })
        .collect();
    Ok(json!({
        "events": list,
        "nextForwardToken": format!("f/{to:0>56}"),
        "nextBackwardToken": format!("b/{from:0>56}"),
    }))
}

/// The unstructured part of the filter pattern syntax: terms, phrases, `-` and `?`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pattern {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let text = text.trim();
        if text.starts_with('{') || text.starts_with('[') || text.starts_with('%') {
            return Err(ApiError::invalid(
                INVALID,
                "The lab does not simulate JSON, space-delimited or regular expression filter \
                 patterns; use terms and quoted phrases.",
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (list, body) = match first {
                ' ' => {
                    rest = rest.trim_start();
                    continue;
                }
                '-' => (&mut pattern.none, rest.get(1..).unwrap_or_default()),
                '?' => (&mut pattern.any, rest.get(1..).unwrap_or_default()),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match body.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| ApiError::invalid(INVALID, "Invalid filter pattern"))?,
                None => body.split_once(' ').unwrap_or((body, "")),
            };
            if !term.is_empty() {
                list.push(term.to_owned());
            }
            rest = after;
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (self.any.is_empty() || self.any.iter().any(has))
    }
}

fn create(call: &mut Call<'_>) -> Answer {
    let name = call.input.required("logGroupName", INVALID)?;
    let (account, region) = (call.caller.account.as_str(), call.region);
    call.world.create_log_group(account, region, name)?;
    Ok(json!({}))
}

fn put_retention(call: &mut Call<'_>) -> Answer {
    let name = call.input.required("logGroupName", INVALID)?;
    let days = call
        .input
        .integer("retentionInDays")
        .and_then(|days| u32::try_from(days).ok());
    let days = days.ok_or_else(|| ApiError::invalid(INVALID, "retentionInDays is not valid"))?;
    let (account, region) = (call.caller.account.as_str(), call.region);
    call.world
        .put_retention_policy(account, region, name, days)?;
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_manual_says() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR Timeout", "ERROR of kind Timeout", true),
            ("ERROR -Timeout", "ERROR of kind Timeout", false),
            ("?ERROR ?WARN", "WARN disk", true),
            ("\"out of memory\"", "java: out of memory", true),
            ("\"out of memory\"", "memory out of", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(message), expected, "{pattern} on {message}");
        }
        assert!(Pattern::parse("{ $.level = 1 }").is_err());
        assert!(Pattern::parse("\"open").is_err());
    }
}
