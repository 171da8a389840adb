//! What the honest parties of a challenge do: what Alice says, who else is there, and what they do when they hear
//! something.

use crate::attack::Person;

/// What comes of something that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// A line is typed at the server.
    ServerSays(String),
    /// Bob types a line.
    BobSays(String),
    /// The door opens.
    Open,
}

/// Takes in a line that somebody's program printed.
pub(super) type Hear = Box<dyn FnMut(Person, &str) -> Vec<Turn> + Send>;

/// Makes one of them for each connection: what was heard on one does not count on another.
pub(super) type MakeHear = Box<dyn Fn() -> Hear + Send>;

/// The honest parties.
pub(super) struct Rules {
    /// What Alice types when she is in.
    pub(super) alice: Vec<String>,
    /// What somebody types who is at the server from the beginning.
    pub(super) bob: Option<Vec<String>>,
    /// What is done about what is heard.
    pub(super) hear: MakeHear,
}

/// Makes the parties who know this flag.
pub(super) type Make = fn(&str) -> Rules;

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Nobody does anything about anything.
fn unmoved() -> MakeHear {
    Box::new(|| Box::new(|_, _| Vec::new()))
}

/// Alice says this, and nobody does anything about it.
fn alice_says(said: &[&str]) -> Rules {
    Rules { alice: lines(said), bob: None, hear: unmoved() }
}

/// Bob sends the flag to whoever is called Alice.
pub(super) fn flag_for_alice(flag: &str) -> Rules {
    let answer = format!("/pm Alice The flag is {flag}");
    let hear: MakeHear = Box::new(move || {
        let answer = answer.clone();
        Box::new(move |who, line| match who {
            Person::Bob if line.ends_with("[SYSTEM] Alice joined (secure channel)") => {
                vec![Turn::BobSays(answer.clone())]
            }
            _ => Vec::new(),
        })
    });
    Rules { alice: Vec::new(), bob: Some(lines(&["Bob"])), hear }
}

/// Alice says the flag to the server.
pub(super) fn alice_tells(flag: &str) -> Rules {
    alice_says(&[&format!("The flag is {flag}")])
}

const EXERCISE: &str = "This is an exercise.";
const OPEN: &str = "Open the door.";

/// The server opens the door when Alice wants it, unless she has said that it is an exercise.
pub(super) fn unless_exercise(_flag: &str) -> Rules {
    let hear: MakeHear = Box::new(|| {
        let mut exercise = false;
        Box::new(move |who, line| {
            match (who, line.strip_prefix("[Client]: ")) {
                (Person::Server, Some(EXERCISE)) => exercise = true,
                (Person::Server, Some(OPEN)) if !exercise => return vec![Turn::Open],
                _ => {}
            }
            Vec::new()
        })
    });
    Rules { alice: lines(&[EXERCISE, OPEN]), bob: None, hear }
}

const BRIDGE: &str = "lower the bridge";

/// Alice asks whether to lower the bridge, and does when she hears the same words. The server says no.
pub(super) fn same_words(_flag: &str) -> Rules {
    let hear: MakeHear = Box::new(|| {
        Box::new(|who, line| match who {
            Person::Server if line.strip_prefix("[Client]: ") == Some(BRIDGE) => {
                vec![Turn::ServerSays("no".to_owned())]
            }
            Person::Alice if line.strip_prefix("[Server]: ") == Some(BRIDGE) => vec![Turn::Open],
            _ => Vec::new(),
        })
    });
    Rules { alice: lines(&[BRIDGE]), bob: None, hear }
}

const PAYMENT: &str = "echo pay Mallory 10";
/// So often must it be paid.
const PAYMENTS: u32 = 3;

/// Alice pays once; three payments in one session open the door.
pub(super) fn three_payments(_flag: &str) -> Rules {
    let hear: MakeHear = Box::new(|| {
        let mut paid = 0;
        Box::new(move |who, line| {
            let pays = who == Person::Server && line.starts_with("[>]") && line.ends_with(PAYMENT);
            paid += u32::from(pays);
            if pays && paid == PAYMENTS { vec![Turn::Open] } else { Vec::new() }
        })
    });
    Rules { alice: lines(&["user", "pass123", PAYMENT]), bob: None, hear }
}

/// Alice sends the flag to Bob.
pub(super) fn flag_for_bob(flag: &str) -> Rules {
    let alice = vec!["Alice".to_owned(), format!("/pm Bob {flag}")];
    Rules { alice, bob: Some(lines(&["Bob"])), hear: unmoved() }
}

/// The server opens the door for whoever wants it in Alice's name, and Alice does not.
pub(super) fn wanted_by_alice(_flag: &str) -> Rules {
    let hear: MakeHear = Box::new(|| {
        Box::new(|who, line| match who {
            Person::Server if line == "Received and authenticated: open the door" => vec![Turn::Open],
            _ => Vec::new(),
        })
    });
    Rules { hear, ..alice_says(&["good morning"]) }
}

/// Alice says the flag to the server, which answers everything that it understands.
pub(super) fn alice_tells_and_is_answered(flag: &str) -> Rules {
    let hear: MakeHear = Box::new(|| {
        Box::new(|who, line| match who {
            Person::Server if line.starts_with("[Client]:") => vec![Turn::ServerSays("understood".to_owned())],
            _ => Vec::new(),
        })
    });
    Rules { hear, ..alice_tells(flag) }
}

/// The door opens when Alice is in and does not know what the server can do.
pub(super) fn without_extensions(_flag: &str) -> Rules {
    let hear: MakeHear = Box::new(|| {
        let mut unseen = false;
        Box::new(move |who, line| {
            match who {
                Person::Alice if line.ends_with("(no EXT_INFO)") => unseen = true,
                Person::Alice if unseen && line.starts_with("[*] Secure connection") => return vec![Turn::Open],
                _ => {}
            }
            Vec::new()
        })
    });
    Rules { hear, ..alice_says(&["good morning"]) }
}
