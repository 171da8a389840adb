//! Search by words.

use super::lines::{COLUMNS, blob, millis, newest_first, read};
use nacre_chat::{SearchQuery, StoreAnswer};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// The newest lines that hold all the words, in places that whoever asks may see.
pub(super) fn search(connection: &Connection, query: &SearchQuery) -> rusqlite::Result<StoreAnswer> {
    let words = all_of(&query.words);
    if words.is_empty() || query.places.is_empty() && query.directs_of.is_none() {
        return Ok(newest_first(Vec::new(), query.limit));
    }
    let mut parameters = vec![Value::Text(words)];
    let mut places = Vec::new();
    for (place, since) in &query.places {
        places.push(format!("(place = ?{} AND at >= ?{})", parameters.len() + 1, parameters.len() + 2));
        parameters.push(Value::Text(place.to_string()));
        parameters.push(Value::Integer(since.map_or(0, millis)));
    }
    if let Some(account) = query.directs_of {
        let place = parameters.len() + 1;
        places.push(format!("(place GLOB '@*' AND (account = ?{place} OR to_account = ?{place}))"));
        parameters.push(Value::Blob(blob(account.0).to_vec()));
    }
    let mut from = String::new();
    if let Some(account) = query.from {
        parameters.push(Value::Blob(blob(account.0).to_vec()));
        from = format!("AND account = ?{}", parameters.len());
    }
    parameters.push(Value::Integer(i64::from(query.limit) + 1));
    let text = format!(
        "SELECT {COLUMNS} FROM words CROSS JOIN lines ON lines.number = words.rowid
         WHERE words MATCH ?1 AND ({}) {from} ORDER BY words.rowid DESC LIMIT ?{}",
        places.join(" OR "),
        parameters.len()
    );
    let mut statement = connection.prepare_cached(&text)?;
    let lines = statement.query_map(params_from_iter(parameters), read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(newest_first(lines, query.limit))
}

/// Each word in quotes: what is typed is data and never the index's query language.
fn all_of(words: &str) -> String {
    let quoted: Vec<String> =
        words.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    quoted.join(" ")
}
