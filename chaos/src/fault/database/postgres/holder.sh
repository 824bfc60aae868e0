# Makes a cluster, then does what it is told; arguments: folder of programs, own folder, port.
# When the pipe of words ends, and it ends however the parent ends, the servers are stopped and the folder is removed.
# PIPE: nobody may be there any more to hear that a word is done.
trap '' INT TERM HUP PIPE
umask 077
programs=$1 folder=$2
printf %s "$PASSWORD" >"$folder/password"
unset PASSWORD
up() { "$programs/pg_ctl" start -w -D "$folder/$1" -l "$folder/$1.log" -o "-p $2" >>"$folder/holder.log" 2>&1; }
make() {
    "$programs/initdb" -D "$folder/$1" -U chaos --auth-local=trust --auth-host=password --pwfile="$folder/password" \
        -E UTF8 --no-locale --no-sync >>"$folder/holder.log" 2>&1 &&
        cat "$folder/settings" >>"$folder/$1/postgresql.conf" && up "$1" "$2"
}
copy() {
    "$programs/pg_basebackup" -D "$folder/$1" -R -c fast -h "$folder" -p "$3" -U chaos >>"$folder/holder.log" 2>&1 && up "$1" "$2"
}
while read -r word server port serving; do
    if "$word" "$server" "$port" "$serving"; then echo done; else tail -n 4 "$folder/holder.log" "$folder/$server.log" 2>/dev/null | tr '\n' ' '; echo; fi
done
for server in "$folder"/*/; do "$programs/pg_ctl" stop -m immediate -D "$server" >>"$folder/holder.log" 2>&1; done
cd / && rm -rf "$folder"
