#include "callback.h"

#include <assert.h>
#include <string.h>

#include "json.h"
#include "span.h"

/* Names of OpenIM's releases 3.5 to 3.8, in the order of the alphabet. */
const char *const qr_callback_names[QR_CALLBACK_NAMES] = {
    "callbackAfterAddBlackCommand",
    "callbackAfterAddFriendAgreeCommand",
    "callbackAfterAddFriendCommand",
    "callbackAfterCreateGroupCommand",
    "callbackAfterDeleteFriendCommand",
    "callbackAfterDisMissGroupCommand",
    "callbackAfterGroupMsgReadCommand",
    "callbackAfterGroupMsgRevokeCommand",
    "callbackAfterImportFriendsCommand",
    "callbackAfterJoinGroupCommand",
    "callbackAfterKickGroupCommand",
    "callbackAfterRemoveBlackCommand",
    "callbackAfterRevokeMsgCommand",
    "callbackAfterSendGroupMsgCommand",
    "callbackAfterSendSingleMsgCommand",
    "callbackAfterSetFriendRemarkCommand",
    "callbackAfterSetGroupInfoCommand",
    "callbackAfterSetGroupInfoExCommand",
    "callbackAfterSetGroupMemberInfoCommand",
    "callbackAfterSingleMsgReadCommand",
    "callbackAfterTransferGroupOwnerCommand",
    "callbackAfterUpdateUserInfoCommand",
    "callbackAfterUpdateUserInfoExCommand",
    "callbackAfterUserKickOffCommand",
    "callbackAfterUserOfflineCommand",
    "callbackAfterUserOnlineCommand",
    "callbackAfterUserRegisterCommand",
    "callbackBeforeAddBlackCommand",
    "callbackBeforeAddFriendAgreeCommand",
    "callbackBeforeAddFriendCommand",
    "callbackBeforeAfterMsgCommand",
    "callbackBeforeCreateGroupCommand",
    "callbackBeforeGroupOnlinePushCommand",
    "callbackBeforeImportFriendsCommand",
    "callbackBeforeInviteJoinGroupCommand",
    "callbackBeforeJoinGroupCommand",
    "callbackBeforeMembersJoinGroupCommand",
    "callbackBeforeMsgModifyCommand",
    "callbackBeforeOfflinePushCommand",
    "callbackBeforeOnlinePushCommand",
    "callbackBeforeSendGroupMsgCommand",
    "callbackBeforeSendSingleMsgCommand",
    "callbackBeforeSetFriendRemarkCommand",
    "callbackBeforeSetGroupInfoCommand",
    "callbackBeforeSetGroupInfoExCommand",
    "callbackBeforeSetGroupMemberInfoCommand",
    "callbackBeforeUpdateUserInfoCommand",
    "callbackBeforeUpdateUserInfoExCommand",
    "callbackBeforeUserRegisterCommand",
    "callbackDisMissGroupCommand",
    "callbackKillGroupCommand",
    "callbackMsgModifyCommand",
};

/* Which has at_least so many bytes. */
static struct qr_span last_segment(const char *path, size_t path_len, size_t at_least)
{
    size_t start = path_len - at_least;

    assert(path_len >= at_least);
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    return (struct qr_span){path + start, path_len - start};
}

/* A callback…Command, of any name in between. */
static bool is_command(struct qr_span name)
{
    static const char head[] = "callback", tail[] = "Command";
    const size_t head_len = sizeof head - 1, tail_len = sizeof tail - 1;

    return name.len > head_len + tail_len && memcmp(name.at, head, head_len) == 0 &&
           memcmp(name.at + name.len - tail_len, tail, tail_len) == 0;
}

/* Whether the path's last segment is this name. */
static bool ends_in(const char *path, size_t path_len, const char *name)
{
    size_t len = strlen(name);

    return path_len > len && path[path_len - len - 1] == '/' &&
           memcmp(path + path_len - len, name, len) == 0;
}

/* OpenIM 3.5 and 3.6 call it by the second name. */
static const char quit_name[] = "callbackAfterQuitGroupCommand";
static const char old_quit_name[] = "callbackQuitGroupCommand";
#define QUIT_NAME_MIN (sizeof old_quit_name - 1)

int qr_callback_command(const char *path, size_t path_len)
{
    if (ends_in(path, path_len, quit_name) || ends_in(path, path_len, old_quit_name)) {
        return QR_CALLBACK_QUIT;
    }
    if (!is_command(last_segment(path, path_len, 0))) {
        return QR_CALLBACK_NONE;
    }
    for (int i = 0; i < QR_CALLBACK_NAMES; i++) {
        if (ends_in(path, path_len, qr_callback_names[i])) {
            return i;
        }
    }
    return QR_CALLBACK_OTHER;
}

/* What is wrong with a decoded ID, or with its decoding (len < 0). */
static enum qr_err id_error(const char *id, int len)
{
    if (len == QR_ERR_NO_SPACE) {
        return QR_ERR_ID_TOO_LONG;
    }
    if (len < 0) {
        return (enum qr_err)len;
    }
    if (len == 0) {
        return QR_ERR_ID_EMPTY;
    }
    return memchr(id, '\0', (size_t)len) == NULL ? QR_OK : QR_ERR_ID_NUL;
}

/* Decodes the member's value into out, which has QR_ID_MAX bytes. Returns its length. */
static int read_id(const struct qr_json_member *member, char *out, struct qr_fault *fault)
{
    qr_json_ref value = member->value;
    const char *name = member->name.at;
    enum qr_err err;
    int len;

    if (value < 0) {
        return qr_fault_at(fault, QR_ERR_FIELD_MISSING, name, QR_NO_OFFSET);
    }
    if (qr_json_type(value) != QR_JSON_STRING) {
        return qr_fault_at(fault, QR_ERR_FIELD_TYPE, name, qr_json_offset(value));
    }
    len = qr_json_string(value, out, QR_ID_MAX);
    err = id_error(out, len);
    if (err != QR_OK) {
        (void)qr_fault_at(fault, err, name, qr_json_offset(value));
        fault->limit = err == QR_ERR_ID_TOO_LONG ? QR_ID_MAX : 0;
        return err;
    }
    return len;
}

/* callbackCommand need not be there; where it is, it says what the path says. */
static int check_command(const struct qr_json_member *member, struct qr_span path_command,
                         struct qr_fault *fault)
{
    qr_json_ref value = member->value;

    if (value < 0) {
        return QR_OK;
    }
    if (qr_json_type(value) != QR_JSON_STRING) {
        return qr_fault_at(fault, QR_ERR_FIELD_TYPE, member->name.at, qr_json_offset(value));
    }
    if (!qr_json_equals(value, path_command.at, path_command.len)) {
        return qr_fault_at(fault, QR_ERR_COMMAND_MISMATCH, member->name.at, qr_json_offset(value));
    }
    return QR_OK;
}

int qr_callback_read(const struct qr_request *request, struct qr_callback_quit *quit,
                     struct qr_fault *fault)
{
    struct qr_json_member members[] = {QR_JSON_MEMBER("callbackCommand"), QR_JSON_MEMBER("groupID"),
                                       QR_JSON_MEMBER("userID")};
    enum { COMMAND, GROUP_ID, USER_ID, MEMBERS };
    int result = qr_json_read(request->content, request->content_len, fault);
    int group_id_len, user_id_len;

    if (result < 0) {
        return result;
    }
    if (qr_json_type(0) != QR_JSON_OBJECT) {
        return qr_fault_at(fault, QR_ERR_NOT_OBJECT, "content", QR_NO_OFFSET);
    }
    qr_json_members(0, members, MEMBERS);
    result = check_command(&members[COMMAND],
                           last_segment(request->path, request->path_len, QUIT_NAME_MIN), fault);
    if (result < 0) {
        return result;
    }
    group_id_len = read_id(&members[GROUP_ID], quit->group_id, fault);
    if (group_id_len < 0) {
        return group_id_len;
    }
    user_id_len = read_id(&members[USER_ID], quit->user_id, fault);
    if (user_id_len < 0) {
        return user_id_len;
    }
    quit->quit = (struct qr_quit){
        .group_id = quit->group_id,
        .user_id = quit->user_id,
        .operation_id = request->operation_id,
        .group_id_len = (uint8_t)group_id_len,
        .user_id_len = (uint8_t)user_id_len,
        .operation_id_len = (uint8_t)request->operation_id_len,
    };
    return QR_OK;
}

/* errDlt quotes a parameter's name as it was sent, so its length is bounded here. */
static void place(struct qr_out *out, const struct qr_fault *fault)
{
    char text[QR_CALLBACK_PLACE_MAX];
    struct qr_fault cut = *fault;
    struct qr_out inner;

    if (cut.part_len > QR_CALLBACK_PLACE_MAX / 2) {
        cut.part_len = QR_CALLBACK_PLACE_MAX / 2;
    }
    qr_out_init(&inner, text, sizeof text);
    qr_out_fault_place(&inner, &cut);
    qr_out_json(out, inner.bytes, inner.len);
}

void qr_callback_reply(struct qr_out *out, const struct qr_fault *fault)
{
    static const char handled[] =
        "{\"actionCode\":0,\"errCode\":0,\"errMsg\":\"\",\"errDlt\":\"\",\"nextCode\":0}";

    if (fault == NULL) {
        qr_out_bytes(out, handled, sizeof handled - 1);
        return;
    }
    qr_out_text(out, "{\"actionCode\":1,\"errCode\":");
    qr_out_u64(out, (uint64_t)-fault->err);
    qr_out_text(out, ",\"errMsg\":\"");
    qr_out_text(out, qr_err_text(fault->err));
    qr_out_text(out, "\",\"errDlt\":");
    place(out, fault);
    qr_out_text(out, ",\"nextCode\":0}");
}
