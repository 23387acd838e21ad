//! What names of columns and tables say of what they hold. Never enough by itself.

/// What a column's name makes likely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each stands for itself")]
pub(super) struct Hint {
    pub phone: bool,
    pub ip: bool,
    /// Numbers with dots are something else.
    pub version: bool,
    pub national: bool,
    /// It says that it is a person's name.
    pub person: bool,
    /// It says that it is a name, in a table of people.
    pub name_of_people: bool,
    pub birth: bool,
}

const PHONES: &[&str] = &["tel", "fax", "cell", "handy", "gsm", "mobile", "mobil", "whatsapp", "msisdn"];
const ADDRESSES: &[&str] = &["ip", "ips", "ipv4", "ipv6", "ipaddr", "ipaddress", "remote", "addr", "inet"];
const VERSIONS: &[&str] =
    &["version", "versions", "ver", "build", "release", "firmware", "kernel", "revision", "semver", "oid", "section"];
const NATIONAL: &[&str] = &[
    "ssn",
    "svnr",
    "national",
    "nationalid",
    "tax",
    "taxid",
    "tin",
    "passport",
    "pesel",
    "bsn",
    "cpf",
    "personnummer",
    "nir",
    "nino",
    "nif",
    "nie",
    "dni",
    "ahv",
    "avs",
    "fiscal",
    "fiscale",
    "insurance",
    "identity",
    "steuer",
    "steuerid",
    "idnr",
    "cpr",
    "hetu",
    "sozialversicherungsnummer",
];
const BIRTHS: &[&str] = &["birth", "dob", "born", "birthday", "birthdate", "geburtsdatum", "geburtstag", "geboren"];

/// Names of persons and nothing else.
const PERSONAL_NAMES: &[&str] = &[
    "firstname",
    "lastname",
    "surname",
    "givenname",
    "familyname",
    "fullname",
    "middlename",
    "maidenname",
    "vorname",
    "nachname",
    "familienname",
    "apellido",
    "prenom",
    "forename",
    "personname",
    "guardian",
];
const PEOPLE: &[&str] = &[
    "person",
    "people",
    "user",
    "student",
    "pupil",
    "parent",
    "teacher",
    "patient",
    "customer",
    "client",
    "employee",
    "member",
    "contact",
    "author",
    "guardian",
    "holder",
    "beneficiary",
    "recipient",
    "sender",
    "doctor",
    "child",
    "player",
    "applicant",
    "candidate",
    "tenant",
    "driver",
    "guest",
    "subscriber",
    "donor",
    "staff",
    "kunde",
    "schueler",
];
/// Names of other things, also in tables of people.
const THINGS: &[&str] = &[
    "product", "company", "file", "host", "school", "city", "country", "street", "event", "brand", "domain", "display",
    "nick", "team", "class", "course", "role", "plan", "bank", "device", "app", "group", "project", "state", "region",
];

impl Hint {
    pub(super) fn of(table: &str, column: &str) -> Self {
        let words = words(column);
        let joined = words.concat();
        let has = |all: &[&str]| words.iter().any(|word| all.contains(&word.as_str()));
        let is_people = |words: &[String]| words.iter().any(|word| PEOPLE.contains(&singular(word)));
        let is_name = has(&["name"]) && !has(THINGS);
        Self {
            phone: has(PHONES) || joined.contains("phone") || joined.contains("telefon"),
            ip: has(ADDRESSES),
            version: has(VERSIONS),
            national: has(NATIONAL),
            person: PERSONAL_NAMES.iter().any(|name| joined.contains(name)) && !has(THINGS),
            name_of_people: is_name && (is_people(&words) || is_people(&self::words(table))),
            birth: has(BIRTHS),
        }
    }
}

fn singular(word: &str) -> &str {
    match word {
        "children" => "child",
        "people" => word,
        _ => word.strip_suffix('s').unwrap_or(word),
    }
}

/// The words of a name, in lower case: `homePhone`, `home_phone`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut()
            && c.is_alphanumeric()
        {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}
