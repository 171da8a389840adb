//! P3 `MaxStartups`, P4 `PerSourceMaxStartups`, P5 `PerSourceNetBlockSize`.

use super::*;

fn with_startups(max_startups: (u32, u32, u32)) -> Admissions {
    Admissions::new(AdmissionConfig { max_startups, ..AdmissionConfig::default() })
}

#[test]
fn p03_two_thousand_idle_sources_evict_the_oldest_unfinished_and_nobody_else() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    let (logged_in, _) = admitted(admissions.admit(now, stranger(0), SPARED));
    admissions.key_exchange_done(logged_in);
    admissions.authenticated(logged_in);
    let (exchanged, _) = admitted(admissions.admit(now, stranger(1), SPARED));
    admissions.key_exchange_done(exchanged);

    let mut idle = Vec::new();
    let mut evicted = Vec::new();
    for n in 0..2_000 {
        let (ticket, evict) = admitted(admissions.admit(now, stranger(2 + n), SPARED));
        idle.push(ticket);
        evicted.extend(evict);
    }
    // One of the 1,000 places is held by the connection past key exchange; the logged-in one holds none.
    assert_eq!(evicted, idle[..1_001], "the oldest go first, in order");
    let expected = Counts { exchanging: 999, awaiting_login: 1, logged_in: 1, evicted: 1_001, ..Counts::default() };
    assert_eq!(admissions.counts(), expected);

    for ticket in evicted {
        admissions.ended(now, ticket, Ending::Clean);
    }
    assert_eq!(admissions.counts(), Counts { evicted: 0, ..expected });
    admitted(admissions.admit(now, stranger(5_000), HIT));
}

#[test]
fn p03_a_newcomer_gets_through_a_full_house_and_is_safe_after_key_exchange() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    for n in 0..1_000 {
        admitted(admissions.admit(now, stranger(n), SPARED));
    }
    let (legit, evict) = admitted(admissions.admit(now, stranger(9_999), HIT));
    assert!(evict.is_some());
    admissions.key_exchange_done(legit);
    for n in 0..3_000 {
        let (_, evict) = admitted(admissions.admit(now, stranger(10_000 + n), HIT));
        assert_ne!(evict, Some(legit));
    }
    admissions.authenticated(legit);
    assert_eq!(admissions.counts().logged_in, 1);
}

#[test]
fn p03_full_of_finished_key_exchanges_refuses() {
    let now = Instant::now();
    let mut admissions = with_startups((3, 30, 3));
    let tickets = [0, 1, 2].map(|n| admitted(admissions.admit(now, stranger(n), HIT)).0);
    for ticket in tickets {
        admissions.key_exchange_done(ticket);
    }
    assert_eq!(refused(admissions.admit(now, stranger(3), SPARED)), Refusal::TooManyStartups);
    admissions.authenticated(tickets[1]);
    assert_eq!(admitted(admissions.admit(now, stranger(3), SPARED)).1, None, "a login frees its place");
    admissions.ended(now, tickets[0], Ending::Clean);
    assert_eq!(admitted(admissions.admit(now, stranger(4), SPARED)).1, None, "an end frees its place");
}

#[test]
fn p03_an_evicted_connection_cannot_win_its_place_back() {
    let now = Instant::now();
    let mut admissions = with_startups((1, 30, 1));
    let (late, _) = admitted(admissions.admit(now, stranger(0), HIT));
    assert_eq!(admitted(admissions.admit(now, stranger(1), HIT)).1, Some(late));
    admissions.key_exchange_done(late);
    admissions.authenticated(late);
    let expected = Counts { exchanging: 1, evicted: 1, ..Counts::default() };
    assert_eq!(admissions.counts(), expected, "the report of its login came too late");
    admissions.ended(now, late, Ending::Clean);
    admissions.ended(now, late, Ending::Crash);
    assert_eq!(admissions.counts(), Counts { evicted: 0, ..expected }, "the second end is not counted");
}

#[test]
fn p03_one_source_that_fills_the_house_with_idle_connections_is_penalised() {
    let now = Instant::now();
    let mut admissions = with_startups((10, 30, 10));
    for _ in 0..10 {
        admitted(admissions.admit(now, stranger(0), HIT));
    }
    for _ in 0..15 {
        let (_, evict) = admitted(admissions.admit(now, stranger(0), HIT));
        admissions.ended(now, evict.unwrap(), Ending::NoAuth);
    }
    assert!(matches!(refused(admissions.admit(now, stranger(0), HIT)), Refusal::Penalised { .. }));
    admitted(admissions.admit(now, stranger(1), HIT));
}

/// Draws out of 100 that are turned away when `open` connections are not logged in.
fn dropped_at(max_startups: (u32, u32, u32), open: u32) -> usize {
    let now = Instant::now();
    let mut admissions = with_startups((u32::MAX, 0, u32::MAX));
    for n in 0..open {
        // Past key exchange, so that nobody can go for the newcomer.
        let (ticket, _) = admitted(admissions.admit(now, stranger(n), SPARED));
        admissions.key_exchange_done(ticket);
    }
    admissions.reload(AdmissionConfig { max_startups, ..AdmissionConfig::default() });
    let mut dropped = 0;
    for draw in 0..100 {
        match admissions.admit(now, stranger(1_000_000), draw) {
            Admission::Admit { ticket, .. } => admissions.ended(now, ticket, Ending::Clean),
            Admission::Refuse(refusal) => {
                assert_eq!(refusal, Refusal::TooManyStartups);
                dropped += 1;
            }
        }
    }
    dropped
}

#[test]
fn p03_random_early_drop_rises_from_rate_to_100() {
    // OpenSSH's own setting: 30 % at 10, 100 % at 100.
    let openssh = (10, 30, 100);
    assert_eq!([0, 9, 10, 55, 99].map(|open| dropped_at(openssh, open)), [0, 0, 30, 65, 99]);
    let ours = AdmissionConfig::default().max_startups;
    assert_eq!(ours, (100, 30, 1000));
    assert_eq!([99, 100, 550, 999].map(|open| dropped_at(ours, open)), [0, 30, 65, 99]);
    // A rate of 100 is a hard limit at `begin`.
    assert_eq!([4, 5].map(|open| dropped_at((5, 100, 10), open)), [0, 100]);
}

#[test]
fn p03_the_draw_hits_the_oldest_unfinished_before_it_hits_a_newcomer() {
    let now = Instant::now();
    let mut admissions = with_startups((2, 30, 10));
    let tickets = [0, 1, 2, 3].map(|n| admitted(admissions.admit(now, stranger(n), SPARED)).0);
    admissions.key_exchange_done(tickets[0]);
    assert_eq!(admitted(admissions.admit(now, stranger(4), HIT)).1, Some(tickets[1]));
    assert_eq!(admitted(admissions.admit(now, stranger(5), SPARED)).1, None);
}

#[test]
fn p03_odd_settings_neither_panic_nor_admit_too_many() {
    for max_startups in [(0, 0, 0), (5, 30, 5), (10, 30, 5), (0, 200, 5), (u32::MAX, 0, 5), (0, 0, u32::MAX)] {
        let now = Instant::now();
        let mut admissions = with_startups(max_startups);
        for n in 0..50 {
            if let Admission::Admit { evict: Some(gone), .. } = admissions.admit(now, stranger(n), n) {
                admissions.ended(now, gone, Ending::Clean);
            }
        }
        assert!(admissions.counts().exchanging <= max_startups.2 as usize, "{max_startups:?}");
    }
}

fn with_per_source(limit: u32, net_block: (u8, u8)) -> Admissions {
    Admissions::new(AdmissionConfig { per_source_max_startups: Some(limit), net_block, ..AdmissionConfig::default() })
}

#[test]
fn p04_no_limit_per_source_by_default() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig::default());
    for _ in 0..1_000 {
        admitted(admissions.admit(now, stranger(7), SPARED));
    }
}

#[test]
fn p04_a_source_at_its_limit_is_refused_until_one_logs_in_or_ends() {
    let now = Instant::now();
    let mut admissions = with_per_source(2, (32, 64));
    let (first, _) = admitted(admissions.admit(now, stranger(7), HIT));
    let (second, _) = admitted(admissions.admit(now, stranger(7), HIT));
    admissions.key_exchange_done(first);
    assert_eq!(refused(admissions.admit(now, stranger(7), HIT)), Refusal::TooManyFromSource);
    admitted(admissions.admit(now, stranger(8), HIT));

    admissions.authenticated(first);
    let (third, _) = admitted(admissions.admit(now, stranger(7), HIT));
    assert_eq!(refused(admissions.admit(now, stranger(7), HIT)), Refusal::TooManyFromSource);
    admissions.ended(now, first, Ending::LoggedIn);
    assert_eq!(refused(admissions.admit(now, stranger(7), HIT)), Refusal::TooManyFromSource, "that place was free");
    admissions.ended(now, second, Ending::Clean);
    admissions.ended(now, third, Ending::Clean);
    let again = [(); 2].map(|()| admitted(admissions.admit(now, stranger(7), HIT)).0);
    assert!(!again.contains(&first) && !again.contains(&second), "tickets are not given out twice");
}

#[test]
fn p04_a_source_at_its_limit_evicts_nobody_and_an_evicted_one_gives_its_place_back() {
    let now = Instant::now();
    let mut admissions = Admissions::new(AdmissionConfig {
        per_source_max_startups: Some(1),
        max_startups: (2, 30, 2),
        ..AdmissionConfig::default()
    });
    let (first, _) = admitted(admissions.admit(now, stranger(1), HIT));
    admitted(admissions.admit(now, stranger(2), HIT));
    assert_eq!(refused(admissions.admit(now, stranger(1), HIT)), Refusal::TooManyFromSource);
    assert_eq!(admissions.counts().evicted, 0);
    assert_eq!(admitted(admissions.admit(now, stranger(3), HIT)).1, Some(first));
    admitted(admissions.admit(now, stranger(1), HIT));
}

#[test]
fn p05_one_ipv6_block_is_one_source() {
    let now = Instant::now();
    let mut admissions = with_per_source(1, AdmissionConfig::default().net_block);
    admitted(admissions.admit(now, ip("2001:db8:0:1::1"), HIT));
    let same_block = admissions.admit(now, ip("2001:db8:0:1:ffff:ffff:ffff:ffff"), HIT);
    assert_eq!(refused(same_block), Refusal::TooManyFromSource);
    admitted(admissions.admit(now, ip("2001:db8:0:2::1"), HIT));
    // IPv4 counts whole addresses.
    admitted(admissions.admit(now, ip("192.0.2.1"), HIT));
    admitted(admissions.admit(now, ip("192.0.2.2"), HIT));
}

#[test]
fn p05_mapped_addresses_count_as_ipv4() {
    let now = Instant::now();
    let mut admissions = with_per_source(1, (32, 64));
    admitted(admissions.admit(now, ip("::ffff:192.0.2.1"), HIT));
    assert_eq!(refused(admissions.admit(now, ip("192.0.2.1"), HIT)), Refusal::TooManyFromSource);
    // All mapped addresses share one /64: counting them as IPv6 would make the IPv4 internet one source.
    admitted(admissions.admit(now, ip("::ffff:192.0.2.2"), HIT));
}

#[test]
fn p05_any_block_size_works() {
    for (net_block, same, other) in [
        ((24, 64), ["192.0.2.1", "192.0.2.254"], "192.0.3.1"),
        ((0, 64), ["192.0.2.1", "203.0.113.9"], "2001:db8::1"),
        ((200, 64), ["192.0.2.1", "192.0.2.1"], "192.0.2.0"),
        ((32, 128), ["2001:db8::1", "2001:db8::1"], "2001:db8::2"),
        ((32, 0), ["2001:db8::1", "fe80::1"], "192.0.2.1"),
        ((32, 47), ["2001:db8:2::1", "2001:db8:3::1"], "2001:db8:4::1"),
    ] {
        let now = Instant::now();
        let mut admissions = with_per_source(1, net_block);
        admitted(admissions.admit(now, ip(same[0]), HIT));
        assert_eq!(refused(admissions.admit(now, ip(same[1]), HIT)), Refusal::TooManyFromSource, "{net_block:?}");
        admitted(admissions.admit(now, ip(other), HIT));
    }
}

#[test]
fn p05_a_changed_block_size_counts_open_connections_anew() {
    let now = Instant::now();
    let mut admissions = with_per_source(2, (32, 64));
    let tickets = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|from| admitted(admissions.admit(now, ip(from), HIT)).0);
    let coarse =
        AdmissionConfig { per_source_max_startups: Some(2), net_block: (24, 64), ..AdmissionConfig::default() };
    admissions.reload(coarse);
    assert_eq!(refused(admissions.admit(now, ip("192.0.2.4"), HIT)), Refusal::TooManyFromSource);
    for ticket in tickets {
        admissions.ended(now, ticket, Ending::Clean);
    }
    for from in ["192.0.2.5", "192.0.2.6"] {
        admitted(admissions.admit(now, ip(from), HIT));
    }
    assert_eq!(refused(admissions.admit(now, ip("192.0.2.7"), HIT)), Refusal::TooManyFromSource);
}
