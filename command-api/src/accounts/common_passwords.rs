//! Passwords that everybody tries first. Shorter ones are refused for their length.

use std::{collections::HashSet, sync::LazyLock};

const WORDS: &str = "
password password1 password12 password123 password1234 password! password1! password123! passw0rd
passw0rd1 passw0rd! p@ssword p@ssword1 p@ssw0rd p@ssw0rd1 p@ssw0rd! pa$$word pa$$w0rd mypassword
yourpassword thepassword newpassword oldpassword passwords passphrase passcode1 password2 password3
password99 password2020 password2021 password2022 password2023 password2024 password2025 password2026
12345678 123456789 1234567890 0123456789 987654321 9876543210 87654321 11111111 111111111 1111111111
00000000 000000000 0000000000 22222222 33333333 44444444 55555555 66666666 77777777 88888888 99999999
12341234 12344321 11223344 1122334455 112233445566 123123123 123321123 123456123 12312312 123454321
102030405060 147258369 159753456 741852963 789456123 963852741 01020304 10203040 13131313 12121212
19871987 19901990 20002000 20202020 31415926 314159265 112358132134 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y
1qaz2wsx 1qaz2wsx3edc 1qazxsw2 q1w2e3r4 q1w2e3r4t5 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234
qwerty12345 qwerty123456 qwerty1! qwertyqwerty asdfghjk asdfghjkl asdfasdf asdf1234 asdfqwer zxcvbnm1
zxcvbnm123 zxcvzxcv qazwsxedc qazwsx123 abcd1234 abcde12345 abcdefgh abcdefghi abcdefghij abc12345
abc123456 abcabcabc a1b2c3d4 a1b2c3d4e5 aa123456 aaaaaaaa aaaaaaaaaa abababab xxxxxxxx zzzzzzzz
iloveyou iloveyou1 iloveyou2 iloveyou! ilovemom iloveyou123 loveyou1 letmein1 letmein123 letmein!
letmeinnow welcome1 welcome12 welcome123 welcome1! welcome! welcome2024 welcome2025 welcome2026
trustno1 sunshine sunshine1 princess princess1 football football1 baseball baseball1 basketball
superman superman1 batman123 spiderman starwars starwars1 pokemon1 pokemon123 computer computer1
internet internet1 michelle jennifer jessica1 samantha danielle christian jonathan elizabeth
charlie1 michael1 jordan23 liverpool liverpool1 chelsea1 arsenal1 manchester barcelona realmadrid
whatever whatever1 nothing1 secret123 topsecret mysecret changeme changeme1 changeme123 changeit
default1 default123 admin123 admin1234 admin12345 administrator adminadmin admin@123 root1234 rootroot
test1234 test12345 test123456 testtest testtest1 testing1 testing123 tester123 guest123 guestguest
user1234 username username1 demo1234 temp1234 temppass temporary qwer1234 qwerasdf monkey123
monkey12 dragon12 dragon123 master123 mustang1 shadow12 shadow123 freedom1 killer123 hunter22 hunter42
summer2023 summer2024 summer2025 summer2026 winter2024 winter2025 winter2026 spring2024 spring2025
spring2026 autumn2024 autumn2025 january1 february monday123 friday13 blink182 metallica slipknot
nirvana1 blahblah lalalala hellohello hello123 hello1234 hellokitty helloworld goodbye1 butterfly
butterfly1 chocolate chocolate1 strawberry cookie123 cheese123 snoopy12 garfield scooby12 pussycat
corvette mercedes ferrari1 porsche1 yamaha12 harley123 access14 access123 security security1
correcthorse correcthorsebatterystaple opensesame abracadabra asd12345 zaq12wsx zaq1zaq1 !qaz2wsx
google123 facebook facebook1 linkedin twitter1 microsoft windows10 android1 iphone12 samsung1
p455w0rd pass1234 pass12345 pass123456 passpass 1password 123password 12345password 123456789a
a123456789 123456789q q123456789 1234qwer 1234567a 12345678a 12345qwert 123qweasd 123qweasdzxc 123qwe123
";

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split_whitespace().collect());

/// Whether this is one of them, whatever its case.
pub(super) fn is_common(password: &str) -> bool {
    COMMON.contains(password.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_ones_are_known_in_any_case() {
        assert!(is_common("Password123") && is_common("QWERTYUIOP"));
        assert!(!is_common("correct-horse-battery-staple-7"));
        assert!(COMMON.len() >= 100 && COMMON.iter().all(|word| word.len() >= 8));
    }
}
