//! Figures of a fleet's table, which `web/fleet.js` makes: the browser reads the result's JSON, since a parser here would be a tenth of the page,
//! and how a number is written is decided here as everywhere. A number that the result does not have is not a number, and an empty text.

use tuning::Currency;
use tuning::figures;
use tuning::search::Confidence;

/// What becomes of an amount that is `less` per cent less: "−38 %", "same".
pub fn change(less: f64) -> String {
    told(less, || figures::difference(100.0 - less, 100.0))
}

/// What is saved: "$1,234", "−$3.20" for what costs more.
pub fn saving(amount: f64, currency: Currency) -> String {
    told(amount, || figures::money(amount, currency.symbol()))
}

/// How sure a choice is: "97 % for 3 %".
pub fn sure(confidence: Confidence) -> String {
    told(confidence.within5, || confidence.brief())
}

fn told(number: f64, text: impl Fn() -> String) -> String {
    if number.is_nan() { String::new() } else { text() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_elsewhere() {
        assert_eq!(
            [change(38.2), change(-3.1), change(0.4), change(-150.0)],
            ["−38 %", "+3 %", "same", "+150 %"]
        );
        let amounts = [1234.5, 4.7, 0.0, -3.2].map(|amount| saving(amount, Currency::Usd));
        assert_eq!(amounts, ["$1,234", "$4.70", "$0", "−$3.20"]);
        assert_eq!(saving(0.5, Currency::Cny), "¥0.500");
        let of = |within1, within3, within5| sure(Confidence { within1, within3, within5 });
        assert_eq!([of(0.83, 0.9749, 0.99), of(0.2, 0.6, 0.949)], ["97 % for 3 %", "94 % for 5 %"]);
    }

    #[test]
    fn what_is_not_known_is_empty() {
        let nothing = Confidence { within1: f64::NAN, within3: f64::NAN, within5: f64::NAN };
        assert_eq!([change(f64::NAN), saving(f64::NAN, Currency::Usd), sure(nothing)], ["", "", ""]);
    }
}
