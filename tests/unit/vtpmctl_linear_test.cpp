// swtpm's linear files as a place of state, with files that the real swtpm wrote.
#include "ctl/tool/states/linear_store.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "ctl/tool/states/state_locations.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/must.h"
#include "tests/support/swtpm_files.h"
#include "tests/unit/vtpmctl_command_fixture.h"

namespace vtpm {
namespace {

using testing::Combine;
using testing::HasSubstr;
using testing::Values;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kVolatile{TpmVersion::tpm20, BlobKind::volatile_state};
constexpr BlobName kPermanent12{TpmVersion::tpm12, BlobKind::permanent};

class LinearVerb : public VtpmctlCommand {
 protected:
  void put(const std::string& text, BlobName name, ByteView data) {
    auto store =
        open_location(find_location(text, instances_).value(), {}, CreateState::if_missing).value();
    must(store->lock());
    must(store->store(name, data));
  }
  Result<Bytes> load(const std::string& text, BlobName name) {
    return open_location(find_location(text, instances_).value(), {}, CreateState::never)
        .value()
        ->load(name);
  }
  // Its permanent data, which begin as libtpms' do.
  static Bytes plain(const char* family) {
    Bytes file = fixture(std::string(family) + ".plain.permall");
    return to_bytes(ByteView(file).subspan(16));
  }

  const std::string file_ = "file:" + path("state");
  const std::string linear_ = "linear:" + path("linear");
};

TEST_F(LinearVerb, WhatIsStored_IsLoadedAgain) {
  put(linear_, kPermanent, plain("tpm20"));
  put(linear_, kVolatile, as_bytes("volatile"));
  put(linear_, kPermanent, plain("tpm20"));

  EXPECT_EQ(load(linear_, kPermanent).value(), plain("tpm20"));
  EXPECT_EQ(load(linear_, kVolatile).value(), to_bytes("volatile"));
  EXPECT_EQ(load(linear_, kPermanent12).error().code, Errc::not_found);
}

TEST_F(LinearVerb, RemovedBlob_IsGoneAndTheOthersStay) {
  put(linear_, kPermanent, plain("tpm20"));
  put(linear_, kVolatile, as_bytes("volatile"));
  auto store = LinearStore::open(path("linear"), CreateState::never, TpmVersion::tpm20, {}).value();

  must(store->remove(kVolatile));

  EXPECT_EQ(store->load(kVolatile).error().code, Errc::not_found);
  EXPECT_EQ(store->load(kPermanent).value(), plain("tpm20"));
}

TEST_F(LinearVerb, Inspect_TellsOfItsSections) {
  std::filesystem::copy_file(fixture_path("tpm12.plain.linear"), path("linear"));
  std::filesystem::copy_file(fixture_path("tpm20.hex128.linear"), path("sealed"));

  ASSERT_EQ(state({"inspect", linear_, "--json"}), 0) << err_.str();
  auto blob = nlohmann::json::parse(out_.str())["blobs"][0];
  EXPECT_EQ(blob["tpm"], "1.2");
  EXPECT_EQ(blob["encrypted"], "no");
  ASSERT_EQ(state({"inspect", "linear:" + path("sealed"), "--json"}), 0) << err_.str();
  blob = nlohmann::json::parse(out_.str())["blobs"][0];
  EXPECT_EQ(blob["tpm"], "-") << "nothing can be told without the key";
  EXPECT_EQ(blob["encrypted"], "AES-128");
}

TEST_F(LinearVerb, InspectOfDamage_ShowsItAndSucceeds) {
  std::string content = "nilmptws\x01";
  content.resize(192);
  directory_.write("linear", content);

  EXPECT_EQ(state({"inspect", linear_}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("damaged"));
}

TEST_F(LinearVerb, ExportOfTwoTpms_WantsToKnowWhich) {
  put(file_, kPermanent, plain("tpm20"));
  put(file_, kPermanent12, plain("tpm12"));

  EXPECT_EQ(state({"export", file_, linear_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("--tpm"));
  EXPECT_FALSE(std::filesystem::exists(path("linear")));

  EXPECT_EQ(state({"export", file_, linear_, "--tpm", "1.2"}), 0) << err_.str();
  EXPECT_EQ(load(linear_, kPermanent12).value(), plain("tpm12"));
}

TEST_F(LinearVerb, ImportOfWhatBeginsAsNeitherVersion_WantsToKnowWhich) {
  put(linear_, kPermanent, as_bytes("neither"));

  EXPECT_EQ(state({"import", linear_, file_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("--tpm"));

  EXPECT_EQ(state({"import", linear_, file_, "--tpm", "2.0"}), 0) << err_.str();
  EXPECT_EQ(load(file_, kPermanent).value(), to_bytes("neither"));
}

TEST_F(LinearVerb, SomethingElse_IsNeverFormatted) {
  put(file_, kPermanent, plain("tpm20"));
  directory_.write("linear", "a diary");

  EXPECT_EQ(state({"export", file_, linear_, "--replace"}), 1);

  EXPECT_EQ(directory_.read("linear"), "a diary");
}

// -- What swtpm wrote, with every kind of key --

struct Form {
  const char* name;
  const char* key;  // words behind file= or pwdfile=
};

using FamilyAndForm = std::tuple<const char*, Form>;

class SwtpmImport : public LinearVerb, public testing::WithParamInterface<FamilyAndForm> {
 protected:
  const std::string family_ = std::get<0>(GetParam());
  const Form form_ = std::get<1>(GetParam());
  const BlobName name_ = family_ == "tpm20" ? kPermanent : kPermanent12;
  const std::string key_ = std::string(form_.key).substr(0, std::string(form_.key).find('=') + 1) +
                           fixture_path("") +
                           std::string(form_.key).substr(std::string(form_.key).find('=') + 1);
};

TEST_P(SwtpmImport, LinearFile_BecomesAStateFileAndGoesBack) {
  std::filesystem::copy_file(fixture_path(family_ + "." + form_.name + ".linear"), path("linear"));

  ASSERT_EQ(state({"import", linear_, file_, "--from-key", key_}), 0) << err_.str();
  EXPECT_EQ(load(file_, name_).value(), plain(family_.c_str()));

  ASSERT_EQ(state({"export", file_, "linear:" + path("back"), "--key", key_}), 0) << err_.str();
  ASSERT_EQ(state({"export", file_, "dir:" + path("back-dir"), "--key", key_}), 0) << err_.str();
  EXPECT_EQ(state({"import", "dir:" + path("back-dir"), file_, "--from-key", key_, "--replace"}), 0)
      << err_.str();
  EXPECT_EQ(state({"import", "linear:" + path("back"), file_, "--replace"}), 1) << "without a key";
  EXPECT_EQ(load(file_, name_).value(), plain(family_.c_str()));
}

INSTANTIATE_TEST_SUITE_P(
    Each, SwtpmImport,
    Combine(Values("tpm20", "tpm12"),
            Values(Form{"hex128", "file=hex128.key"},
                   Form{"binary256", "file=binary256.key,format=binary,mode=aes-256-cbc"},
                   Form{"pbkdf2_128", "pwdfile=passphrase"},
                   Form{"sha512_256", "pwdfile=passphrase,kdf=sha512,mode=aes-256-cbc"})),
    [](const auto& test) {
      return std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param).name;
    });

}  // namespace
}  // namespace vtpm
