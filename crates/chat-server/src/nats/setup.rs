//! The stream of lines and the buckets: made where they are missing, in words that NATS 2.9 knows.

use super::link::{Broken, Link, Refusal};
use super::names::{Bucket, CHAT, DIRECT_SUBJECTS, LIVE, ROOM_SUBJECTS};
use serde_json::{Value, json};
use std::time::Duration;

/// Lines of one room or one private talk that NATS keeps for nodes that come late.
const LINES: u32 = 10_000;
/// And for how long.
const LINES_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a line's id is remembered: a node that could not be reached says the same lines again.
const DOUBLES: Duration = Duration::from_secs(3600);
/// How long somebody is taken to be here after the last word of it.
pub(super) const PRESENCE_AGE: Duration = Duration::from_secs(45);
/// NATS' own usual window.
const USUAL_DOUBLES: Duration = Duration::from_secs(120);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn chat() -> Value {
    json!({
        "name": CHAT, "subjects": [ROOM_SUBJECTS, DIRECT_SUBJECTS], "storage": "file", "retention": "limits",
        "max_msgs_per_subject": LINES, "max_age": nanos(LINES_AGE), "duplicate_window": nanos(DOUBLES),
        "discard": "old", "allow_direct": true, "num_replicas": 1,
        "republish": {"src": "nx.>", "dest": format!("{LIVE}>")},
    })
}

fn bucket(bucket: Bucket) -> Value {
    let mut config = json!({
        "name": bucket.stream(), "subjects": [format!("{}>", bucket.prefix())], "storage": "file",
        "retention": "limits", "max_msgs_per_subject": 1, "discard": "new", "allow_rollup_hdrs": true,
        "deny_delete": true, "allow_direct": true, "num_replicas": 1, "duplicate_window": nanos(USUAL_DOUBLES),
    });
    let Some(fields) = config.as_object_mut() else { return config };
    if let Some(live) = bucket.live() {
        fields.insert(
            "republish".to_owned(),
            json!({"src": format!("{}>", bucket.prefix()), "dest": format!("{live}>")}),
        );
    }
    if bucket == Bucket::Presence {
        fields.insert("storage".to_owned(), json!("memory"));
        fields.insert("max_age".to_owned(), json!(nanos(PRESENCE_AGE)));
        fields.insert("duplicate_window".to_owned(), json!(nanos(PRESENCE_AGE)));
    }
    config
}

/// Makes what is missing. What is there stays as an operator may have set it, but it must republish
/// and answer directly, or nodes would not hear each other.
pub(super) async fn prepare(link: &Link) -> Result<(), Broken> {
    make(link, CHAT, &chat()).await?;
    for each in Bucket::ALL {
        make(link, each.stream(), &bucket(each)).await?;
    }
    Ok(())
}

async fn make(link: &Link, name: &str, config: &Value) -> Result<(), Broken> {
    let failed = |refusal: Refusal| Broken(format!("the stream {name}: {refusal}"));
    let found = match link.api(&format!("STREAM.INFO.{name}"), &Value::Null).await? {
        Ok(found) => found,
        Err(Refusal::NoStream) => {
            // Another node may be quicker: then it is the same, or the next attempt sees what it is.
            link.api(&format!("STREAM.CREATE.{name}"), config).await?.map_err(failed)?;
            tracing::info!("chat: the stream {name} was made in NATS");
            return Ok(());
        }
        Err(refusal) => return Err(failed(refusal)),
    };
    let has = |field: &str| found.get("config").and_then(|config| config.get(field));
    let republishes = config.get("republish").map(|wanted| wanted.get("dest"));
    let as_needed = has("allow_direct") == Some(&Value::Bool(true))
        && republishes.is_none_or(|dest| has("republish").and_then(|own| own.get("dest")) == dest);
    if as_needed {
        return Ok(());
    }
    Err(Broken(format!("the stream {name} was made by somebody else: it does not republish as the chat needs it")))
}
