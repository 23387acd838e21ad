//! Names of persons, told by their shape and by frequent first and last names. Words that mean other things as well (Rose,
//! Amber, Victoria) are left out: product names are not persons.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::privacy::names;

/// More first names than are made up with, in lower case.
const FIRST: &str = "aaron abdul abigail adam adrian ahmed akira alan albert alejandro alessandro alexander alexandra \
    alfred ali alice alicia alina amanda amelia amina amir amy anastasia andrea andreas andrew andrzej angela anita anja \
    anne annika anthony antonio arjun arthur astrid barbara beatrice benjamin bernd bernhard beth bjorn bob brandon \
    brian bruno camille carl carla carmen carol caroline catherine cecilia charles chiara chloe chris christian christina \
    christine christoph christopher claire claudia cynthia dana daniela danielle deborah dennis diana diego dieter dirk \
    dmitri donald donna dorothy edgar eduardo edward eleanor elias elisa elisabeth elizabeth ella ellen emilia emily \
    enrique eric erik erika ernst esther ethan eva evelyn fabian farid federico fernando florian francesca francesco \
    francois franz frederik friedrich gabriel gabriela gary george gerald gerhard giovanni giulia giuseppe gloria gregor \
    gregory guillaume gunther gustav hannah hans harald harry hassan heather heidi heinrich heinz helen helena helga \
    henri henry herbert hiroshi horst ian ibrahim igor ingrid irene isabel isabella isabelle jacob jacqueline jakub james \
    jane janet jason javier jean jennifer jeremy jessica joan joanna johan johann johannes john jonathan jorge jose josef \
    joseph joshua juan judith juergen julian julie julien julius justin kai karen karin karl karolina katarina katharina \
    kathleen katrin kelly kevin khaled kimberly klara klaus konstantin krzysztof kurt larissa larry lars laura lauren \
    laurent lea leila lena leon leonardo lewis liam linda lisa lorenzo louis louise lucas lucia lucy luis lukas luke \
    magdalena malte manfred manuel marcel marcus margaret maria mariana marie marina mario marion markus marlene martina \
    mary mateo mathias matteo matthew matthias maurice melanie melissa michael michaela michal michel michelle miguel \
    mikhail milan miriam mohammad mohammed monika muhammad mustafa nadia nadine nancy natalia natalie nathalie nathan \
    nicholas nicola nicolas nicole niklas nikola nina oliver olivia olivier oscar pablo pamela pascal patricia patrick \
    paula pauline pedro peter philip philipp philippe pierre piotr rachel rafael raj ralf ramon raymond rebecca renate \
    ricardo richard rita robert roberto roland roman ronald ruben rudolf ruth ryan sabine salma samantha samuel sandra \
    sara sarah scott sean sebastian sergei sergio sharon silke simon simone sofie sonja sophia sophie stefan stefanie \
    stephan stephanie stephen steven susan susanne svenja sven sylvia takeshi tamara tanja tatiana teresa theresa thomas \
    thorsten tim timothy tobias tomasz tomas ulrich ulrike ursula uwe valentina valeria vanessa veronika victor viktor \
    vincent vladimir volker walter werner william wolfgang xavier yasmin yusuf yves yvonne zeynep";

/// More last names, in lower case.
const LAST: &str = "adams ahmed alexander ali allen alvarez anderson bailey baker barnes becker bell bennett berg berger \
    bergmann bianchi braun brooks bryant butler campbell carter castillo chavez chen clark clarke coleman collins colombo \
    cohen cook cooper cox cruz davies davis davidson diaz dietrich doe dupont durand edwards eriksson evans ferrari \
    fontana foster fuchs garcia gomez gonzalez graham gray green griffin guenther gupta gutierrez hall hamilton harris \
    hartmann haas hayes henderson hernandez herrmann hill hoffman hofer howard hughes hussain jackson jaeger james \
    jenkins jimenez johansson johnston jordan kaiser karlsson kaufmann kelly kennedy king klein kraus krause kruger \
    laurent lefebvre lehmann leroy lewis li lindberg lopes long ludwig maier martinez marino mason mayer mcdonald mendoza \
    meier mitchell moore morales moreno morgan morris morrison murphy murray myers nelson neumann novotny ortiz owens \
    parker patterson perez perry peters peterson phillips pichler powell price ramirez ramos reed reid reyes reynolds \
    richard richardson richter rivera roberts robertson robinson rodriguez rogers romero ross roth russell ruiz sanchez \
    sanders santos schaefer scholz schreiber schroeder schulz schulze schuster schwarz scott shah sharma shaw simmons \
    simon simpson steiner stevens stewart stone sullivan thompson torres turner vargas vogel wallace ward watson webb \
    weiss west white williams winkler winter wolf wood woods wu yamamoto yang young zimmermann";

const TITLES: &[&str] = &["dr", "mr", "mrs", "ms", "prof", "herr", "frau", "mag", "ing"];

/// How a value is like a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NameLike {
    /// It is written as names are.
    pub shape: bool,
    /// More than one word, the first a known first name.
    pub first_of_many: bool,
    /// More than one word, the last a known last name.
    pub last_of_many: bool,
    /// One word, a known first name.
    pub only_first: bool,
    /// One word, a known last name.
    pub only_last: bool,
}

/// How a value is like a name: `Alice Smith`, `Smith, Alice`, `Alice`.
pub(super) fn like(value: &str) -> NameLike {
    let turned = value.split_once(", ").map(|(last, first)| format!("{first} {last}"));
    let words: Vec<&str> = turned.as_deref().unwrap_or(value).split_whitespace().collect();
    let is_title = |word: &str| TITLES.contains(&word.trim_end_matches('.').to_lowercase().as_str());
    let words: Vec<&str> = words.into_iter().skip_while(|word| is_title(word)).collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return NameLike::default() };
    let is_small = !value.chars().any(char::is_uppercase);
    let is_part = |word: &str| is_word(word) || (is_small && word.chars().all(char::is_alphabetic));
    if words.len() > 4 || value.chars().count() > 60 || !words.iter().all(|word| is_part(word)) {
        return NameLike::default();
    }
    let (first, last) = (is_first(first), is_last(last));
    if is_small && value.is_ascii() && !first && !last {
        // Words in small letters are only names where they are known as such.
        return NameLike::default();
    }
    let many = words.len() > 1;
    NameLike {
        shape: true,
        first_of_many: many && first,
        last_of_many: many && last,
        only_first: !many && first,
        only_last: !many && last,
    }
}

/// A part of a name: begins as names do, in letters.
fn is_word(word: &str) -> bool {
    let begins = word.chars().next().is_some_and(|c| c.is_alphabetic() && !c.is_lowercase());
    let is_particle = ["von", "van", "de", "der", "den", "da", "di", "del", "la", "le", "al", "bin"].contains(&word);
    let shouts = word.chars().count() > 3 && word.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
    let letters = word.chars().all(|c| c.is_alphabetic() || "-'’.".contains(c));
    (begins || is_particle) && letters && (!shouts || !word.is_ascii())
}

fn is_first(word: &str) -> bool {
    static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| all(FIRST, names::FIRST));
    KNOWN.contains(&word.to_lowercase())
}

fn is_last(word: &str) -> bool {
    static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| all(LAST, names::LAST));
    KNOWN.contains(&word.to_lowercase())
}

fn all(more: &str, made_up_with: &[&str]) -> HashSet<String> {
    more.split_whitespace().map(str::to_owned).chain(made_up_with.iter().map(|name| name.to_lowercase())).collect()
}

/// Whether a known first name stands before a known last name somewhere in a text.
pub(super) fn holds_name(text: &str) -> bool {
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphabetic())).collect();
    words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)) && is_first(pair[0]) && is_last(pair[1]))
}
