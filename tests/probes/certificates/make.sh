#!/bin/sh
# Makes the certificates of the tests anew, with keys that protect nothing. Needs openssl. Valid from 2020 to 2125.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work"
touch index index.attr
echo 01 > serial
cat > ca.conf <<'END'
[ca]
default_ca = test
[test]
dir = .
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
made() { # name, common name, from, to, extension, how it is signed...
    name=$1 common=$2 from=$3 to=$4 extension=$5
    shift 5
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key" 2>/dev/null
    openssl req -new -key "$name.key" -subj "/CN=$common" -out "$name.csr"
    echo "$extension" > "$name.ext"
    openssl ca -batch -notext -config ca.conf -in "$name.csr" -startdate "$from" -enddate "$to" -extfile "$name.ext" \
        -out "$name.crt" "$@" 2>/dev/null
}
issued() {
    made "$1" "haman test $1" "$2" "$3" "$4" -cert ca.crt -keyfile ca.key
    cat "$1.crt" "$1.key" > "$here/$1.pem"
}
for each in ca other; do
    made $each "haman test $each" 20200101000000Z 21250101000000Z basicConstraints=critical,CA:TRUE \
        -selfsign -keyfile $each.key
    cp $each.crt "$here/$each.pem"
done
issued server 20200101000000Z 21250101000000Z subjectAltName=DNS:www.example.net,IP:127.0.0.1
issued expired 20200101000000Z 20200102030405Z subjectAltName=DNS:www.example.net,IP:127.0.0.1
issued client 20200101000000Z 21250101000000Z extendedKeyUsage=clientAuth
openssl ec -in client.key -aes128 -passout pass:secret -out "$here/encrypted.key" 2>/dev/null
rm -r "$work"
