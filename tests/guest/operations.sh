#!/bin/bash
# guest: --systemd --mem 2G --timeout 400
# The recipes of docs/operations.md: QEMU by name, a service with one device, a container; numbers that stay.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh
. tests/guest/lib/qemu.sh

install_package

step "QEMU, by the instance's name"
groupadd --system machines
ctl 0 create web01 --power at-open --group machines --set major=300
ctl 0 start web01
expect_eq "$(stat -Lc '%G %Hr:%Lr' /dev/vtpm/by-name/web01)" "machines 300:0" "group and number"
make_initramfs
machine_command tpm-tis "$WORK/console"
machine=("${machine[@]/path=\/dev\/vtpm0/path=\/dev\/vtpm\/by-name\/web01}")
expect_exit 0 "${machine[@]}"
show_console "$WORK/console"
expect_firmware_measured "$WORK/console"

step "a service that may use this device and no other"
ctl 0 create web02 --set major=300 --set control=none
ctl 0 start web02
expect_exit 0 systemd-run --quiet --wait --pipe --collect -p DevicePolicy=closed \
    -p "DeviceAllow=$(readlink -f /dev/vtpm/by-name/web02) rw" \
    tpm2_getrandom -T device:/dev/vtpm/by-name/web02 --hex 8
expect_output '^[0-9a-f]{16}$'
expect_exit 1 systemd-run --quiet --wait --pipe --collect -p DevicePolicy=closed \
    -p "DeviceAllow=$(readlink -f /dev/vtpm/by-name/web02) rw" \
    tpm2_getrandom -T device:/dev/vtpm/by-name/web01 --hex 8

step "a container"
mkdir -p "$WORK/container"/{usr,etc,dev,proc,sys,run,tmp,var}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$WORK/container/$link"; done
expect_exit 0 systemd-nspawn --quiet --register=no --keep-unit -D "$WORK/container" --bind-ro=/usr \
    --bind=/dev/vtpm/by-name/web02:/dev/tpm0 --property="DeviceAllow=$(readlink -f /dev/vtpm/by-name/web02) rw" \
    tpm2_getrandom -T device:/dev/tpm0 --hex 8
expect_output '[0-9a-f]{16}'

step "a container of podman's, with either runtime"
for runtime in crun runc; do
    expect_exit 0 podman --runtime "$runtime" --cgroup-manager cgroupfs --storage-driver vfs run --rm --network none \
        --device /dev/vtpm/by-name/web02:/dev/tpm0 --volume /usr:/usr:ro --rootfs "$WORK/container" \
        tpm2_getrandom -T device:/dev/tpm0 --hex 8
    expect_output '[0-9a-f]{16}'
done

step "a key as systemd's credential"
head -c 32 /dev/urandom >"$WORK/key"
mkdir -p /etc/systemd/system/vtpm@web03.service.d
printf '[Service]\nLoadCredential=migration:%s\n' "$WORK/key" >/etc/systemd/system/vtpm@web03.service.d/key.conf
systemctl daemon-reload
ctl 0 create web03 --migration-key credential=migration,format=binary,mode=aes-256-cbc
ctl 0 start web03
ctl 0 config web03
expect_output 'saved blobs are encrypted'
ctl 0 state save web03 --permanent "$WORK/p" --json
expect_eq "$(jq '.[0].encrypted' "$OUTPUT")" true "whether the blob is encrypted"

step "a state that is sealed: with a key of root's, and with a credential"
mkdir -m 700 /etc/vtpm/keys
head -c 32 /dev/urandom >/etc/vtpm/keys/web04
ctl 0 create web04 --key file=/etc/vtpm/keys/web04,format=binary
ctl 0 start web04
ctl 0 state inspect web04
expect_output 'sealed +with a key .AES-256-GCM.'
mkdir -p /etc/systemd/system/vtpm@web05.service.d
printf '[Service]\nLoadCredential=state:%s\n' "$WORK/key" >/etc/systemd/system/vtpm@web05.service.d/key.conf
systemctl daemon-reload
ctl 1 create web05 --key credential=state,format=binary
expect_output 'LoadCredential=state:PATH'
expect_exit 0 systemd-run --quiet --wait --pipe --collect -p "LoadCredential=state:$WORK/key" \
    vtpmctl create web05 --key credential=state,format=binary
ctl 0 start web05
ctl 0 status web05
expect_output 'phase +on, started'
ctl 0 state backup web05 "$WORK/backup" --key file=/etc/vtpm/keys/web04,format=binary
ctl 0 state inspect "file:$WORK/backup"
expect_output 'sealed +with a key .AES-256-GCM.'

step "a state on a block device"
modprobe loop
truncate -s 4M "$WORK/volume"
volume=$(losetup --find --show "$WORK/volume")
chown vtpm "$volume"
mkdir -p /etc/systemd/system/vtpm@web06.service.d
printf '[Service]\nDeviceAllow=%s rw\n' "$volume" >/etc/systemd/system/vtpm@web06.service.d/volume.conf
systemctl daemon-reload
ctl 0 create web06 --state "file:$volume"
ctl 0 start web06
ctl 0 status web06
expect_output 'phase +on, started'
expect_exit 1 mkfs.ext4 -q "$volume"
ctl 1 destroy web06 --yes
expect_output 'keep-state'
ctl 0 destroy web06 --yes --keep-state
losetup -d "$volume"

step "numbers stay over restarts, also when they come up in another order"
number() { stat -Lc '%Hr:%Lr' "/dev/vtpm/by-name/$1"; }
one=$(number web01) two=$(number web02)
ctl 0 stop web01
ctl 0 stop web02
ctl 0 start web02
ctl 0 start web01
expect_eq "$(number web01) $(number web02)" "$one $two" "the numbers"
