//! The commands that a server knows without a shell: answers from a table, and nothing of this machine.

use crate::Moment;

/// What `ls` and `dir` find.
const FILES: &str = "README.md\nssh_client_enc.py\nssh_server_enc.py\n";
/// Where `pwd` is.
const FOLDER: &str = "/home/user\n";

/// The output of a command line.
pub(super) fn answer(line: &str, user: &str, now: Moment) -> String {
    let (name, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    match name {
        "" => String::new(),
        "ls" | "dir" => FILES.to_owned(),
        "whoami" => format!("{user}\n"),
        "pwd" => FOLDER.to_owned(),
        "date" => format!("{}\n", date(now)),
        "echo" => format!("{}\n", rest.trim_start()),
        other => format!("{other}: command not allowed\n"),
    }
}

/// Year, month, day and time on the local clock (days to civil date by the usual 400-year cycle).
fn date(now: Moment) -> String {
    let days = now.local().div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {}", now.hms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_known_commands_are_answered_and_others_are_not() {
        for (line, output) in [
            ("ls", FILES),
            ("dir -la", FILES),
            (" whoami ", "alice\n"),
            ("pwd", "/home/user\n"),
            ("date", "2023-11-15 14:30:10\n"),
            ("echo a  b", "a  b\n"),
            ("echo", "\n"),
            ("", ""),
            ("cat /etc/passwd", "cat: command not allowed\n"),
            ("ls;id", "ls;id: command not allowed\n"),
        ] {
            assert_eq!(answer(line, "alice", Moment::FIXED), output, "{line}");
        }
    }

    #[test]
    fn lab_dates_are_right() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date(Moment { unix, offset: 0 }), text);
        }
    }
}
