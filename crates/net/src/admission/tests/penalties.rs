//! P6 `PerSourcePenalties`.

use super::*;

const FAILED: Ending = Ending::AuthFailed { invalid_user: false };

fn with_penalties(change: impl FnOnce(&mut PenaltyConfig)) -> Admissions {
    let mut penalties = PenaltyConfig::default();
    change(&mut penalties);
    Admissions::new(AdmissionConfig { penalties: Some(penalties), ..AdmissionConfig::default() })
}

#[track_caller]
fn remaining(admissions: &mut Admissions, now: Instant, addr: IpAddr) -> Duration {
    match refused(admissions.admit(now, addr, SPARED)) {
        Refusal::Penalised { remaining, .. } => remaining,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p06_four_failed_logins_refuse_the_next_for_the_sum() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    let tickets = [(); 4].map(|()| admitted(admissions.admit(now, stranger(1), SPARED)).0);
    for ticket in tickets {
        admissions.ended(now, ticket, FAILED);
    }

    let refusal = refused(admissions.admit(now, stranger(1), SPARED));
    assert_eq!(refusal, Refusal::Penalised { remaining: seconds(20), offence: Offence::AuthFailed });
    admitted(admissions.admit(now, stranger(2), SPARED));
    // Refused until the very end, also below `min`, and not a moment longer.
    assert_eq!(remaining(&mut admissions, now + seconds(10), stranger(1)), seconds(10));
    assert_eq!(remaining(&mut admissions, now + Duration::from_millis(19_999), stranger(1)), Duration::from_millis(1));
    admitted(admissions.admit(now + seconds(20), stranger(1), SPARED));
    assert_eq!(admissions.counts().penalised4, 0);
}

#[test]
fn p06_an_offence_during_a_refusal_lengthens_it_even_below_the_minimum() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    let (open, _) = admitted(admissions.admit(now, stranger(1), SPARED));
    visit(&mut admissions, now, stranger(1), Ending::Crash);
    admissions.ended(now + seconds(88), open, Ending::NoAuth);
    assert_eq!(remaining(&mut admissions, now + seconds(88), stranger(1)), seconds(3));
    admitted(admissions.admit(now + seconds(91), stranger(1), SPARED));
}

#[test]
fn p06_penalties_decay_between_offences() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    // One failure each 5 s never adds up; one each second does at the fourth: 5, 9, 13, 17.
    for n in 0..50 {
        visit(&mut admissions, now + seconds(5 * n), stranger(1), FAILED);
    }
    for n in 0..4 {
        visit(&mut admissions, now + seconds(n), stranger(2), FAILED);
    }
    assert_eq!(remaining(&mut admissions, now + seconds(3), stranger(2)), seconds(17));
    // A penalty that ran out leaves nothing behind.
    let later = now + seconds(20);
    visit(&mut admissions, later, stranger(2), FAILED);
    admitted(admissions.admit(later, stranger(2), SPARED));
}

#[test]
fn p06_every_ending_costs_what_the_table_says() {
    let table = [
        (Ending::Crash, 90),
        (FAILED, 5),
        (Ending::AuthFailed { invalid_user: true }, 5),
        (Ending::RefusedByPolicy, 10),
        (Ending::GraceExceeded, 10),
        (Ending::NoAuth, 1),
    ];
    for (ending, cost) in table {
        let now = Instant::now();
        // A minimum of one second makes every single offence count.
        let mut admissions = with_penalties(|penalties| penalties.min = seconds(1));
        visit(&mut admissions, now, stranger(1), ending);
        let refusal = refused(admissions.admit(now, stranger(1), SPARED));
        let offence = ending.offence().unwrap();
        assert_eq!(refusal, Refusal::Penalised { remaining: seconds(cost), offence }, "{ending:?}");
    }
    let now = Instant::now();
    let mut admissions = with_penalties(|penalties| penalties.min = Duration::ZERO);
    for ending in [Ending::Clean, Ending::LoggedIn] {
        visit(&mut admissions, now, stranger(1), ending);
    }
    assert_eq!(admissions.counts(), Counts::default());
}

#[test]
fn p06_the_minimum_and_the_maximum_hold() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    for _ in 0..14 {
        visit(&mut admissions, now, stranger(1), Ending::NoAuth);
    }
    visit(&mut admissions, now, stranger(1), Ending::NoAuth);
    assert_eq!(remaining(&mut admissions, now, stranger(1)), seconds(15), "reached, not passed");

    let crashing = [(); 20].map(|()| admitted(admissions.admit(now, stranger(2), SPARED)).0);
    for ticket in crashing {
        admissions.ended(now, ticket, Ending::Crash);
    }
    assert_eq!(remaining(&mut admissions, now, stranger(2)), seconds(600), "20 crashes are 1,800 s");
}

#[test]
fn p06_a_refused_attempt_costs_nothing() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    visit(&mut admissions, now, stranger(1), Ending::Crash);
    for n in 0..89 {
        assert_eq!(remaining(&mut admissions, now + seconds(n), stranger(1)), seconds(90 - n));
    }
    admitted(admissions.admit(now + seconds(90), stranger(1), SPARED));
}

#[test]
fn p06_penalties_below_a_second_work_and_zero_is_off() {
    let now = Instant::now();
    let mut admissions = with_penalties(|penalties| {
        penalties.auth_fail = Duration::from_millis(250);
        penalties.min = Duration::from_millis(500);
        penalties.no_auth = Duration::ZERO;
    });
    visit(&mut admissions, now, stranger(1), FAILED);
    visit(&mut admissions, now, stranger(1), FAILED);
    assert_eq!(remaining(&mut admissions, now, stranger(1)), Duration::from_millis(500));
    admitted(admissions.admit(now + Duration::from_millis(500), stranger(1), SPARED));
    visit(&mut admissions, now, stranger(2), Ending::NoAuth);
    assert_eq!(admissions.counts().penalised4, 0, "both ran out or were never kept");
}

#[test]
fn p06_a_block_shares_its_penalty() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    visit(&mut admissions, now, ip("2001:db8::1"), Ending::Crash);
    assert_eq!(remaining(&mut admissions, now, ip("2001:db8::dead:beef")), seconds(90));
    admitted(admissions.admit(now, ip("2001:db8:0:1::1"), SPARED));
    visit(&mut admissions, now, ip("::ffff:192.0.2.1"), Ending::Crash);
    assert_eq!(remaining(&mut admissions, now, ip("192.0.2.1")), seconds(90));
}

#[test]
fn p06_the_exempt_list_spares_loopback_by_default() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    for from in ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"] {
        visit(&mut admissions, now, ip(from), Ending::Crash);
        admitted(admissions.admit(now, ip(from), SPARED));
    }
    assert_eq!((admissions.counts().penalised4, admissions.counts().penalised6), (0, 0));

    let mut cleared = Admissions::new(AdmissionConfig { exempt: Vec::new(), ..AdmissionConfig::default() });
    for from in ["127.0.0.1", "::1"] {
        visit(&mut cleared, now, ip(from), Ending::Crash);
        assert_eq!(remaining(&mut cleared, now, ip(from)), seconds(90));
    }
}

#[test]
fn p06_the_exempt_list_takes_networks() {
    let exempt = vec![
        (ip("192.0.2.77"), 24),
        (ip("::ffff:198.51.100.0"), 120),
        (ip("2001:db8::"), 32),
        (ip("203.0.113.7"), 255),
    ];
    let inside = ["192.0.2.1", "198.51.100.9", "2001:db8:ffff::1", "203.0.113.7"];
    let outside = ["192.0.3.1", "198.51.101.9", "2001:db9::1", "203.0.113.8"];
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig { exempt, ..AdmissionConfig::default() });
    for (inside, outside) in inside.into_iter().zip(outside) {
        visit(&mut admissions, now, ip(inside), Ending::Crash);
        admitted(admissions.admit(now, ip(inside), SPARED));
        visit(&mut admissions, now, ip(outside), Ending::Crash);
        remaining(&mut admissions, now, ip(outside));
    }
    // All of one family is not all of the other.
    let everyone6 = AdmissionConfig { exempt: vec![(ip("::"), 0)], ..AdmissionConfig::default() };
    let mut admissions = Admissions::new(everyone6);
    visit(&mut admissions, now, ip("192.0.2.1"), Ending::Crash);
    remaining(&mut admissions, now, ip("192.0.2.1"));
    visit(&mut admissions, now, ip("2001:db8::1"), Ending::Crash);
    admitted(admissions.admit(now, ip("2001:db8::1"), SPARED));
}

#[test]
fn p06_permissive_overflow_forgets_the_soonest_to_run_out() {
    let now = Instant::now();
    let mut admissions = with_penalties(|penalties| penalties.max_sources4 = 3);
    visit(&mut admissions, now, stranger(1), Ending::Crash);
    for n in 2..1_000 {
        visit(&mut admissions, now, stranger(n), Ending::NoAuth);
    }
    assert_eq!(admissions.counts().penalised4, 3);
    assert_eq!(remaining(&mut admissions, now, stranger(1)), seconds(90), "a flood of small offences frees nobody");

    for n in 2..5 {
        visit(&mut admissions, now + seconds(1), stranger(n), Ending::Crash);
    }
    admitted(admissions.admit(now + seconds(1), stranger(1), SPARED));
}

#[test]
fn p06_a_remembered_source_adds_up_in_a_full_table_and_pushes_nobody_out() {
    for overflow in [Overflow::DenyAll, Overflow::Permissive] {
        let now = Instant::now();
        let mut admissions = with_penalties(|penalties| {
            penalties.max_sources4 = 2;
            penalties.overflow4 = overflow;
        });
        let (open, _) = admitted(admissions.admit(now, stranger(1), SPARED));
        visit(&mut admissions, now, stranger(1), Ending::Crash);
        visit(&mut admissions, now, stranger(2), FAILED);
        admissions.ended(now, open, FAILED);
        assert_eq!(admissions.counts().penalised4, 2, "{overflow:?}");
        assert_eq!(remaining(&mut admissions, now, stranger(1)), seconds(95), "{overflow:?}");
    }
}

#[test]
fn p06_deny_all_overflow_refuses_the_family_until_one_runs_out() {
    let now = Instant::now();
    let mut admissions = with_penalties(|penalties| {
        penalties.max_sources4 = 2;
        penalties.overflow4 = Overflow::DenyAll;
    });
    let (open, _) = admitted(admissions.admit(now, stranger(3), SPARED));
    visit(&mut admissions, now, stranger(1), Ending::NoAuth);
    visit(&mut admissions, now + Duration::from_millis(500), stranger(2), Ending::Crash);
    let full = now + Duration::from_millis(500);
    admissions.ended(full, open, Ending::Crash);
    assert_eq!(admissions.counts().penalised4, 2, "no room for another");

    let refusal = refused(admissions.admit(full, stranger(4), SPARED));
    assert_eq!(refusal, Refusal::PenaltiesFull { remaining: Duration::from_millis(500) });
    admitted(admissions.admit(full, ip("127.0.0.1"), SPARED));
    admitted(admissions.admit(full, ip("2001:db8::1"), SPARED));
    admitted(admissions.admit(now + seconds(1), stranger(4), SPARED));
}

#[test]
fn p06_a_million_sources_stay_within_the_bound() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    let bound = PenaltyConfig::default().max_sources4;
    assert_eq!((bound, PenaltyConfig::default().max_sources6), (65_536, 65_536));
    for n in 0..500_000 {
        visit(&mut admissions, now, stranger(n), FAILED);
        let block = (u128::from(n) << 64) | (0x2001_0db8 << 96);
        visit(&mut admissions, now, std::net::Ipv6Addr::from_bits(block).into(), FAILED);
    }
    let counts = admissions.counts();
    assert_eq!((counts.penalised4, counts.penalised6), (bound, bound));
    assert_eq!(counts.exchanging + counts.awaiting_login + counts.logged_in + counts.evicted, 0);

    admitted(admissions.admit(now + seconds(6), stranger(1), SPARED));
    assert_eq!(admissions.counts().penalised4, 0, "what ran out is dropped when its table is next asked");
}

#[test]
fn p06_reload_keeps_penalties_unless_it_cannot_tell_whose() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    visit(&mut admissions, now, stranger(1), Ending::Crash);
    visit(&mut admissions, now, stranger(2), Ending::NoAuth);
    let smaller = PenaltyConfig { max_sources4: 1, ..PenaltyConfig::default() };
    admissions.reload(AdmissionConfig { penalties: Some(smaller), ..AdmissionConfig::default() });
    assert_eq!(admissions.counts().penalised4, 1);
    remaining(&mut admissions, now, stranger(1));

    let mut finer = Admissions::new(AdmissionConfig { net_block: (24, 64), ..AdmissionConfig::default() });
    visit(&mut finer, now, stranger(0), Ending::Crash);
    finer.reload(AdmissionConfig::default());
    admitted(finer.admit(now, stranger(0), SPARED));

    admissions.reload(AdmissionConfig { penalties: None, ..AdmissionConfig::default() });
    visit(&mut admissions, now, stranger(1), Ending::Crash);
    admitted(admissions.admit(now, stranger(1), SPARED));
}

#[test]
fn p06_extreme_settings_neither_panic_nor_fail_open() {
    let now = Instant::now();
    let mut endless = with_penalties(|penalties| {
        penalties.crash = Duration::MAX;
        penalties.max = Duration::MAX;
    });
    visit(&mut endless, now, stranger(1), Ending::Crash);
    assert_eq!(remaining(&mut endless, now + seconds(1), stranger(1)), seconds(i32::MAX as u64 - 1));
    for overflow in [Overflow::DenyAll, Overflow::Permissive] {
        let mut none = with_penalties(|penalties| {
            penalties.max_sources4 = 0;
            penalties.overflow4 = overflow;
        });
        visit(&mut none, now, stranger(1), Ending::Crash);
        admitted(none.admit(now, stranger(1), SPARED));
        assert_eq!(none.counts().penalised4, 0);
    }
    // Moments that come out of order do no harm: the next offence brings the sum back under `max`.
    let mut admissions = Admissions::new(AdmissionConfig::default());
    let (early, _) = admitted(admissions.admit(now, stranger(1), SPARED));
    visit(&mut admissions, now + seconds(1_000), stranger(1), Ending::Crash);
    assert_eq!(remaining(&mut admissions, now, stranger(1)), seconds(1_090));
    admissions.ended(now, early, Ending::Crash);
    assert_eq!(remaining(&mut admissions, now, stranger(1)), seconds(600));
}

#[test]
fn p06_a_refused_peer_gets_one_line_that_says_so() {
    let refusals = [
        Refusal::Penalised { remaining: Duration::from_millis(19_001), offence: Offence::InvalidUser },
        Refusal::PenaltiesFull { remaining: Duration::MAX },
        Refusal::TooManyFromSource,
        Refusal::TooManyStartups,
    ];
    for refusal in refusals {
        let line = refusal.line();
        // RFC 4253 §4.2: lines before the identification string must not look like one.
        assert!(!line.starts_with("SSH-") && line.len() <= 253, "{line}");
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        assert!(!refusal.reason().is_empty() && !refusal.reason().contains('\n'));
    }
    assert!(refusals[0].line().ends_with("try again in 20 s."), "rounded up: {}", refusals[0].line());
    assert!(!refusals[0].line().contains("user"), "whether a user exists is not told");
    assert!(refusals[0].reason().contains("19.001 s") && refusals[0].reason().contains("invaliduser"));
    assert!(refusals[3].reason().contains("MaxStartups"));
}
