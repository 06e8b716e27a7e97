import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
  Put,
  Req,
  type RawBodyRequest,
} from '@nestjs/common';
import type { Request } from 'express';
import { z } from 'zod';
import { HoldfastError, type AccessKey, type Account, type User } from '@holdfast/contracts';
import { OnAccount, OnAccountRoot, OnStore, OnUser } from './access.js';
import { adminCall } from './admin-call.js';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import { ZodPipe } from './zod-pipe.js';

const accountId = z.string().regex(/^[A-Za-z0-9$._-]{1,64}$/, 'is no account id');
const name = z.string().regex(/^[A-Za-z0-9+=,.@_-]{1,128}$/, 'must be letters, digits and +=,.@_-');
const InAccount = z.strictObject({ accountId });
const OfUser = z.strictObject({ accountId, userName: name });
const OfRootKey = z.strictObject({ accountId, accessKeyId: name });
const OfUserKey = z.strictObject({ accountId, userName: name, accessKeyId: name });
const OfPolicy = z.strictObject({ accountId, userName: name, policyName: name });
const NewAccount = z.strictObject({ name: z.string().min(1).max(128), email: z.string().max(256) });
const NewUser = z.strictObject({ userName: name, password: z.string().min(1).max(1024).optional() });
const KeyStatus = z.strictObject({ status: z.enum(['active', 'inactive']) });

type InAccount = z.infer<typeof InAccount>;
type OfUser = z.infer<typeof OfUser>;
type OfRootKey = z.infer<typeof OfRootKey>;
type OfUserKey = z.infer<typeof OfUserKey>;
type OfPolicy = z.infer<typeof OfPolicy>;
type NewAccount = z.infer<typeof NewAccount>;
type NewUser = z.infer<typeof NewUser>;
type KeyStatus = z.infer<typeof KeyStatus>;

interface NewKey {
  readonly accessKey: AccessKey;
  readonly secretAccessKey: string;
}

const ROOT = '';
/** What the identity port takes. Identity itself allows less. */
const POLICY_CHARACTERS_MAX = 65_536;

/** Accounts, their users, keys and policies. The root of an account administers it; only that of the store makes accounts. */
@Controller('admin/v1/accounts')
export class AccountController {
  constructor(@Inject(ADMIN_PORTS) private readonly ports: AdminPorts) {}

  @OnStore('holdfast:CreateAccount')
  @Post()
  createAccount(@Body(new ZodPipe(NewAccount)) account: NewAccount): Promise<Account> {
    return this.ports.identity.createAccount(adminCall(), account);
  }

  @OnStore('holdfast:ListAccounts')
  @Get()
  listAccounts(): Promise<{ accounts: Account[] }> {
    return this.ports.identity.listAccounts(adminCall(), {});
  }

  @OnUser('iam:CreateUser')
  @Post(':accountId/users')
  createUser(@Param(new ZodPipe(InAccount)) path: InAccount, @Body(new ZodPipe(NewUser)) user: NewUser): Promise<User> {
    return this.ports.identity.createUser(adminCall(), { ...path, ...user });
  }

  @OnAccount('iam:ListUsers')
  @Get(':accountId/users')
  listUsers(@Param(new ZodPipe(InAccount)) path: InAccount): Promise<{ users: User[] }> {
    return this.ports.identity.listUsers(adminCall(), path);
  }

  @OnUser('iam:DeleteUser')
  @Delete(':accountId/users/:userName')
  @HttpCode(204)
  async deleteUser(@Param(new ZodPipe(OfUser)) path: OfUser): Promise<void> {
    found((await this.ports.identity.deleteUser(adminCall(), path)).deleted);
  }

  @OnAccountRoot('iam:CreateAccessKey')
  @Post(':accountId/keys')
  createRootKey(@Param(new ZodPipe(InAccount)) path: InAccount): Promise<NewKey> {
    return this.ports.identity.createAccessKey(adminCall(), { ...path, userName: ROOT });
  }

  @OnAccountRoot('iam:ListAccessKeys')
  @Get(':accountId/keys')
  listRootKeys(@Param(new ZodPipe(InAccount)) path: InAccount): Promise<{ accessKeys: AccessKey[] }> {
    return this.ports.identity.listAccessKeys(adminCall(), { ...path, userName: ROOT });
  }

  @OnAccountRoot('iam:UpdateAccessKey')
  @Put(':accountId/keys/:accessKeyId')
  @HttpCode(204)
  setRootKeyStatus(
    @Param(new ZodPipe(OfRootKey)) path: OfRootKey,
    @Body(new ZodPipe(KeyStatus)) body: KeyStatus,
  ): Promise<void> {
    return this.setKeyStatus({ ...path, userName: ROOT }, body.status);
  }

  @OnAccountRoot('iam:DeleteAccessKey')
  @Delete(':accountId/keys/:accessKeyId')
  @HttpCode(204)
  deleteRootKey(@Param(new ZodPipe(OfRootKey)) path: OfRootKey): Promise<void> {
    return this.deleteKey({ ...path, userName: ROOT });
  }

  @OnUser('iam:CreateAccessKey')
  @Post(':accountId/users/:userName/keys')
  createUserKey(@Param(new ZodPipe(OfUser)) path: OfUser): Promise<NewKey> {
    return this.ports.identity.createAccessKey(adminCall(), path);
  }

  @OnUser('iam:ListAccessKeys')
  @Get(':accountId/users/:userName/keys')
  listUserKeys(@Param(new ZodPipe(OfUser)) path: OfUser): Promise<{ accessKeys: AccessKey[] }> {
    return this.ports.identity.listAccessKeys(adminCall(), path);
  }

  @OnUser('iam:UpdateAccessKey')
  @Put(':accountId/users/:userName/keys/:accessKeyId')
  @HttpCode(204)
  setUserKeyStatus(
    @Param(new ZodPipe(OfUserKey)) path: OfUserKey,
    @Body(new ZodPipe(KeyStatus)) body: KeyStatus,
  ): Promise<void> {
    return this.setKeyStatus(path, body.status);
  }

  @OnUser('iam:DeleteAccessKey')
  @Delete(':accountId/users/:userName/keys/:accessKeyId')
  @HttpCode(204)
  deleteUserKey(@Param(new ZodPipe(OfUserKey)) path: OfUserKey): Promise<void> {
    return this.deleteKey(path);
  }

  /** The body is the policy document; it is stored as it came. */
  @OnUser('iam:PutUserPolicy')
  @Put(':accountId/users/:userName/policies/:policyName')
  @HttpCode(204)
  async putPolicy(
    @Param(new ZodPipe(OfPolicy)) path: OfPolicy,
    @Req() request: RawBodyRequest<Request>,
  ): Promise<void> {
    const document = request.rawBody?.toString('utf8') ?? '';
    if (document === '') throw new HoldfastError('InvalidArgument', 'The body must be a policy, as application/json.');
    if (document.length > POLICY_CHARACTERS_MAX) throw new HoldfastError('InvalidArgument', 'The policy is too long.');
    await this.ports.identity.putUserPolicy(adminCall(), { ...path, document });
  }

  @OnUser('iam:ListUserPolicies')
  @Get(':accountId/users/:userName/policies')
  listPolicies(
    @Param(new ZodPipe(OfUser)) path: OfUser,
  ): Promise<{ policies: { policyName: string; document: string }[] }> {
    return this.ports.identity.listUserPolicies(adminCall(), path);
  }

  @OnUser('iam:DeleteUserPolicy')
  @Delete(':accountId/users/:userName/policies/:policyName')
  @HttpCode(204)
  async deletePolicy(@Param(new ZodPipe(OfPolicy)) path: OfPolicy): Promise<void> {
    found((await this.ports.identity.deleteUserPolicy(adminCall(), path)).deleted);
  }

  private async setKeyStatus(key: OfUserKey, status: AccessKey['status']): Promise<void> {
    await this.requireKey(key);
    const { accessKeyId } = key;
    found((await this.ports.identity.setAccessKeyStatus(adminCall(), { accessKeyId, status })).found);
  }

  private async deleteKey(key: OfUserKey): Promise<void> {
    await this.requireKey(key);
    found((await this.ports.identity.deleteAccessKey(adminCall(), { accessKeyId: key.accessKeyId })).deleted);
  }

  /** The caller was allowed to touch the keys of the principal in the path: the key must be one of those. */
  private async requireKey({ accessKeyId, ...owner }: OfUserKey): Promise<void> {
    const { accessKeys } = await this.ports.identity.listAccessKeys(adminCall(), owner);
    found(accessKeys.some((key) => key.accessKeyId === accessKeyId));
  }
}

function found(is: boolean): void {
  if (!is) throw new NotFoundException();
}
