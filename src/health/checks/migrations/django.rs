//! `django_migrations`: files `APP/migrations/NAME.py` below the folder. Apps that are installed elsewhere, Django's own
//! among them, are not looked at. <https://docs.djangoproject.com/en/stable/topics/migrations/>

use super::{Applied, Difference, File, Row, Tool, find};

pub(super) const TOOL: Tool = Tool {
    name: "django",
    table: "django_migrations",
    find: find!("django_migrations"),
    rows: ROWS,
    rows_sqlite: ROWS,
    take,
    compare,
};

const ROWS: &str = "SELECT app, name FROM django_migrations ORDER BY id";

fn take(rows: &[Row]) -> Applied {
    let names = rows.iter().map(|row| format!("{}.{}", row.text(0), row.text(1)));
    Applied { names: names.collect(), ..Applied::default() }
}

fn compare(applied: &Applied, files: &[File]) -> Option<Difference> {
    let name = |file: &File| {
        let parts: Vec<&str> = file.path.split('/').collect();
        let [.., app, "migrations", file] = parts.as_slice() else { return None };
        let name = file.strip_suffix(".py").filter(|name| !name.starts_with('_'))?;
        Some(format!("{app}.{name}"))
    };
    let ours: Vec<(String, &File)> = files.iter().filter_map(|file| Some((name(file)?, file))).collect();
    if ours.is_empty() {
        return None;
    }
    // A squashed migration stands for those that it replaces, and is recorded only where it ran itself.
    let is_squashed = |file: &File| String::from_utf8_lossy(&file.bytes).contains("replaces =");
    let is_pending = |(name, file): &(String, &File)| !applied.names.contains(name) && !is_squashed(file);
    let pending = ours.iter().filter(|one| is_pending(one)).map(|(name, _)| name.clone()).collect();
    Some(Difference { pending, doubtful: Vec::new() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_files_of_the_apps_in_the_folder_are_compared_by_app_and_name() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let files = [
            file("shop/migrations/0001_initial.py", ""),
            file("shop/migrations/0002_price.py", ""),
            file("shop/migrations/0001_squashed_0002.py", "    replaces = [('shop', '0001_initial')]"),
            file("shop/migrations/__init__.py", ""),
            file("src/blog/migrations/0001_initial.py", ""),
            file("shop/models.py", ""),
        ];
        let applied =
            Applied { names: vec!["auth.0001".to_owned(), "shop.0001_initial".to_owned()], ..Applied::default() };
        assert_eq!(compare(&applied, &files).unwrap().pending, ["shop.0002_price", "blog.0001_initial"]);
        assert_eq!(compare(&applied, &files[5..]), None);
    }
}
