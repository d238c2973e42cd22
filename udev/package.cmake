# What is installed where, and the Debian packages: cpack -G DEB, in a build directory.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  # Units and rules name the programs by their full path.
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where to install" FORCE)
endif()
include(GNUInstallDirs)

install(TARGETS vtpmd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT vtpm)
install(TARGETS vtpmctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT vtpm)
install(FILES docs/vtpmd.8 docs/vtpmctl.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT vtpm)
install(FILES ctl/vtpmctl.bash RENAME vtpmctl
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT vtpm)
install(FILES ctl/vtpmd.bash RENAME vtpmd
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT vtpm)
install(FILES udev/60-vtpm.rules DESTINATION lib/udev/rules.d COMPONENT vtpm)
install(FILES udev/vtpm@.service udev/vtpm.target DESTINATION lib/systemd/system COMPONENT vtpm)
install(FILES udev/vtpm.tmpfiles RENAME vtpm.conf DESTINATION lib/tmpfiles.d COMPONENT vtpm)
install(FILES udev/vtpm.sysusers RENAME vtpm.conf DESTINATION lib/sysusers.d COMPONENT vtpm)
# All of them, since they point to one another; tests/check/documents holds that nothing points to what is not there.
install(FILES udev/61-vtpm-kvm.rules.example udev/libvirt-hook.example LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT vtpm)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT vtpm FILES_MATCHING PATTERN "*.md")

configure_file(udev/vtpm.pc.in ${CMAKE_BINARY_DIR}/vtpm.pc @ONLY)
install(FILES ctl/include/vtpm/ioctl.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vtpm COMPONENT dev)
install(FILES ${CMAKE_BINARY_DIR}/vtpm.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig
  COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vtpm)
set(CPACK_PACKAGE_CONTACT "The vtpm maintainers <vtpm@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL vtpm dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_VTPM_PACKAGE_NAME vtpm)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libvtpm-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_VTPM_PACKAGE_RECOMMENDS "udev, systemd")
set(CPACK_DEBIAN_VTPM_PACKAGE_CONTROL_EXTRA
  "${CMAKE_SOURCE_DIR}/udev/debian/postinst;${CMAKE_SOURCE_DIR}/udev/debian/prerm;${CMAKE_SOURCE_DIR}/udev/debian/postrm")
set(CPACK_COMPONENT_VTPM_DESCRIPTION
  "virtual TPMs as Linux character devices\n vtpmd makes /dev/vtpmN through CUSE and runs a TPM behind it; vtpmctl steers it and keeps one per virtual machine.")
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "ioctl interface of virtual TPM devices\n The C header <vtpm/ioctl.h>.")
include(CPack)
