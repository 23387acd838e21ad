//! The rows: text, uuid, JSON, timestamps and numbers as a web application has them, the same on every run.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};

/// A table, its indexes, and how its rows are made. The statements are PostgreSQL's, and SQLite takes them too.
pub struct Table {
    pub name: &'static str,
    pub create: &'static str,
    pub indexes: &'static [&'static str],
    /// Of a hundred bytes of all rows, so many are its.
    pub percent: u64,
    row: fn(&mut Maker, u64, &mut Vec<u8>) -> io::Result<()>,
}

pub const TABLES: [Table; 4] = [
    Table {
        name: "account",
        create: "CREATE TABLE account (id uuid PRIMARY KEY, email text NOT NULL, name text NOT NULL, \
                 settings jsonb NOT NULL, created_at timestamptz NOT NULL, last_seen timestamptz)",
        indexes: &["CREATE UNIQUE INDEX account_email ON account (email)"],
        percent: 10,
        row: account,
    },
    Table {
        name: "event",
        create: "CREATE TABLE event (id bigint PRIMARY KEY, account_id uuid NOT NULL, kind text NOT NULL, \
                 payload jsonb NOT NULL, occurred_at timestamptz NOT NULL)",
        indexes: &["CREATE INDEX event_occurred ON event (occurred_at)"],
        percent: 50,
        row: event,
    },
    Table {
        name: "message",
        create: "CREATE TABLE message (id bigint PRIMARY KEY, author_id uuid NOT NULL, subject text NOT NULL, \
                 body text NOT NULL, sent_at timestamptz NOT NULL)",
        indexes: &["CREATE INDEX message_author ON message (author_id)"],
        percent: 30,
        row: message,
    },
    Table {
        name: "item",
        create: "CREATE TABLE item (id bigint PRIMARY KEY, account_id uuid NOT NULL, sku text NOT NULL, \
                 quantity integer NOT NULL, price numeric(10,2) NOT NULL, note text, billed date NOT NULL)",
        indexes: &["CREATE INDEX item_account ON item (account_id)"],
        percent: 10,
        row: item,
    },
];

/// How many accounts the other tables point at.
const ACCOUNTS: u64 = 100_000;
const KINDS: [&str; 8] =
    ["page_view", "answer", "login", "logout", "upload", "grade_posted", "comment", "session_expired"];
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile",
    "app/4.12.1 (iPadOS 17.5)",
];

impl Table {
    /// Writes rows of about so many bytes, a line each, columns separated by tabs; an empty last column is NULL.
    pub fn write(&self, bytes: u64, output: &mut dyn Write) -> io::Result<()> {
        let mut maker = Maker::new(self.percent);
        let (mut line, mut written, mut id) = (Vec::new(), 0, 0);
        while written < bytes {
            line.clear();
            id += 1;
            (self.row)(&mut maker, id, &mut line)?;
            line.push(b'\n');
            written += line.len() as u64;
            output.write_all(&line)?;
        }
        Ok(())
    }
}

fn account(maker: &mut Maker, id: u64, line: &mut Vec<u8>) -> io::Result<()> {
    let (first, last) = (maker.word().to_owned(), maker.word().to_owned());
    let created = maker.instant(id * 40);
    write!(line, "{}\t{first}.{last}{id}@{}.example\t{first} {last}\t", uuid(id), maker.word())?;
    write!(
        line,
        r#"{{"theme": "{}", "locale": "{}", "notify": {{"mail": {}, "push": {}}}, "tags": ["{}", "{}"]}}"#,
        maker.one_of(&["light", "dark", "system"]),
        maker.one_of(&["de-DE", "en-GB", "fr-FR", "pl-PL"]),
        maker.below(2) == 0,
        maker.below(2) == 0,
        maker.word().to_owned(),
        maker.word(),
    )?;
    write!(line, "\t{created:.6}\t")?;
    if maker.below(10) > 0 {
        write!(line, "{:.6}", maker.instant(40_000_000))?;
    }
    Ok(())
}

fn event(maker: &mut Maker, id: u64, line: &mut Vec<u8>) -> io::Result<()> {
    write!(line, "{id}\t{}\t{}\t", uuid(maker.below(ACCOUNTS)), maker.one_of(&KINDS))?;
    write!(
        line,
        r#"{{"path": "/course/{}/{}", "session": "{:016x}", "ms": {}, "ok": {}, "score": 0.{:03}, "agent": "{}"}}"#,
        maker.below(900),
        maker.word().to_owned(),
        maker.next(),
        maker.below(4000),
        maker.below(20) > 0,
        maker.below(1000),
        maker.one_of(&AGENTS),
    )?;
    write!(line, "\t{:.6}", maker.instant(id * 7))
}

fn message(maker: &mut Maker, id: u64, line: &mut Vec<u8>) -> io::Result<()> {
    write!(line, "{id}\t{}\t", uuid(maker.below(ACCOUNTS)))?;
    let words = 3 + maker.below(6);
    maker.text(words, line);
    line.push(b'\t');
    let words = 20 + maker.below(100);
    maker.text(words, line);
    write!(line, "\t{:.6}", maker.instant(id * 30))
}

fn item(maker: &mut Maker, id: u64, line: &mut Vec<u8>) -> io::Result<()> {
    let (account, quantity) = (uuid(maker.below(ACCOUNTS)), 1 + maker.below(12));
    let number = maker.below(20_000);
    let sku = format!("{}-{number:05}", maker.word());
    let billed = maker.instant(id * 25).to_string();
    write!(line, "{id}\t{account}\t{sku}\t{quantity}\t{}.{:02}\t", maker.below(500), maker.below(100))?;
    let words = maker.below(6);
    maker.text(words, line);
    write!(line, "\t{}", &billed[..10])
}

/// The account of a number: random to look at, the same wherever it is named.
fn uuid(number: u64) -> uuid::Uuid {
    let (mut high, mut low) = (Random(number), Random(!number));
    let bits = uuid::Uuid::from_u64_pair(high.next(), low.next());
    uuid::Builder::from_bytes(bits.into_bytes()).with_version(uuid::Version::Random).into_uuid()
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Maker {
    random: Random,
    words: Vec<String>,
}

impl Maker {
    fn new(seed: u64) -> Self {
        const SYLLABLES: [&str; 24] = [
            "ba", "der", "en", "fi", "gan", "her", "in", "jo", "kel", "lo", "men", "na", "or", "pi", "que", "ra",
            "sen", "to", "un", "ver", "wa", "xi", "ya", "zu",
        ];
        // The vocabulary is the same for all.
        let mut random = Random(42);
        let mut word = || (0..1 + random.next() % 4).map(|_| SYLLABLES[(random.next() % 24) as usize]).collect();
        let words = (0..12_000).map(|_| word()).collect();
        Self { random: Random(seed), words }
    }

    fn next(&mut self) -> u64 {
        self.random.next()
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Some words are much more frequent than others, as in any language.
    fn word(&mut self) -> &str {
        let chance = self.next() as f64 / u64::MAX as f64;
        &self.words[(chance.powi(3) * (self.words.len() - 1) as f64) as usize]
    }

    fn text(&mut self, words: u64, line: &mut Vec<u8>) {
        for index in 0..words {
            if index > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(self.word().as_bytes());
        }
    }

    /// An instant about so many seconds after the first of 2024.
    fn instant(&mut self, seconds: u64) -> Timestamp {
        const BEGIN: Timestamp = Timestamp::constant(1_704_067_200, 0);
        let after = SignedDuration::from_micros((seconds * 1_000_000 + self.below(60_000_000)) as i64);
        BEGIN.saturating_add(after).unwrap_or(BEGIN)
    }
}
