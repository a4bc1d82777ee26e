// Generated from sql/ by `npm run db:types`. Do not edit.


export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "access_code_activations": {
                  Row: {
                    "access_code_id": string,"created_at": string,"tokens_granted": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "access_code_id": string,"created_at"?: string,"tokens_granted": number,"user_id": string
                  }
                  Update: {
                    "access_code_id"?: string,"created_at"?: string,"tokens_granted"?: number,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "access_code_activations_access_code_id_fkey"
      columns: ["access_code_id"]
isOneToOne: false
      referencedRelation: "access_codes"
      referencedColumns: ["id"]
    }
                  ]
                },"access_codes": {
                  Row: {
                    "code_hash": string,"code_hint": string,"created_at": string,"created_by": string,"email": string | null,"expires_at": string | null,"id": string,"item": number,"max_uses": number,"note": string | null,"on_top": boolean,"operation_id": string,"revoked_at": string | null,"tokens_to_grant": number,"uses": number
                  }
                  ComputedFields: never
                  Insert: {
                    "code_hash": string,"code_hint": string,"created_at"?: string,"created_by": string,"email"?: string | null,"expires_at"?: string | null,"id"?: string,"item": number,"max_uses"?: number,"note"?: string | null,"on_top"?: boolean,"operation_id": string,"revoked_at"?: string | null,"tokens_to_grant": number,"uses"?: number
                  }
                  Update: {
                    "code_hash"?: string,"code_hint"?: string,"created_at"?: string,"created_by"?: string,"email"?: string | null,"expires_at"?: string | null,"id"?: string,"item"?: number,"max_uses"?: number,"note"?: string | null,"on_top"?: boolean,"operation_id"?: string,"revoked_at"?: string | null,"tokens_to_grant"?: number,"uses"?: number
                  }
                  Relationships: [
                    
                  ]
                },"subscribers": {
                  Row: {
                    "admin_bonus_tokens": number,"base_tokens": number,"bonus_tokens": number,"created_at": string,"display_name": string | null,"earned_tokens": number,"email": string | null,"entitlement_granted_at": string | null,"id": string,"locale": string | null,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "admin_bonus_tokens"?: number,"base_tokens"?: number,"bonus_tokens"?: number,"created_at"?: string,"display_name"?: string | null,"earned_tokens"?: number,"email"?: string | null,"entitlement_granted_at"?: string | null,"id"?: string,"locale"?: string | null,"user_id"?: string | null
                  }
                  Update: {
                    "admin_bonus_tokens"?: number,"base_tokens"?: number,"bonus_tokens"?: number,"created_at"?: string,"display_name"?: string | null,"earned_tokens"?: number,"email"?: string | null,"entitlement_granted_at"?: string | null,"id"?: string,"locale"?: string | null,"user_id"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"token_holds": {
                  Row: {
                    "amount": number,"created_at": string,"description": string | null,"ended_at": string | null,"expires_at": string,"id": string,"metadata": NonNullable<Json>,"operation_id": string,"released_remaining": number | null,"remaining_after": number,"settled_amount": number | null,"status": Database["public"]['Enums']["token_hold_status"],"ttl_seconds": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"created_at"?: string,"description"?: string | null,"ended_at"?: string | null,"expires_at"?: string,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id": string,"released_remaining"?: number | null,"remaining_after"?: number,"settled_amount"?: number | null,"status"?: Database["public"]['Enums']["token_hold_status"],"ttl_seconds"?: number,"user_id": string
                  }
                  Update: {
                    "amount"?: number,"created_at"?: string,"description"?: string | null,"ended_at"?: string | null,"expires_at"?: string,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string,"released_remaining"?: number | null,"remaining_after"?: number,"settled_amount"?: number | null,"status"?: Database["public"]['Enums']["token_hold_status"],"ttl_seconds"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"token_requests": {
                  Row: {
                    "amount": number,"created_at": string,"id": string,"reason": string | null,"status": Database["public"]['Enums']["token_request_status"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"created_at"?: string,"id"?: string,"reason"?: string | null,"status"?: Database["public"]['Enums']["token_request_status"],"user_id"?: string
                  }
                  Update: {
                    "amount"?: number,"created_at"?: string,"id"?: string,"reason"?: string | null,"status"?: Database["public"]['Enums']["token_request_status"],"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"token_transactions": {
                  Row: {
                    "account": Database["public"]['Enums']["token_account"],"actor": string,"amount": number,"balance_after": number,"created_at": string,"description": string | null,"id": string,"metadata": NonNullable<Json>,"operation_id": string | null,"reference": string | null,"remaining_after": number,"seq": number,"type": Database["public"]['Enums']["token_transaction_type"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "account": Database["public"]['Enums']["token_account"],"actor": string,"amount": number,"balance_after": number,"created_at"?: string,"description"?: string | null,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string | null,"reference"?: string | null,"remaining_after": number,"seq": number,"type": Database["public"]['Enums']["token_transaction_type"],"user_id": string
                  }
                  Update: {
                    "account"?: Database["public"]['Enums']["token_account"],"actor"?: string,"amount"?: number,"balance_after"?: number,"created_at"?: string,"description"?: string | null,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string | null,"reference"?: string | null,"remaining_after"?: number,"seq"?: number,"type"?: Database["public"]['Enums']["token_transaction_type"],"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"user_tokens": {
                  Row: {
                    "created_at": string,"holds_expire_at": string,"journal_balance": number,"journal_seq": number,"tokens_purchased": number,"tokens_reserved": number,"tokens_used": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"holds_expire_at"?: string,"journal_balance"?: number,"journal_seq"?: number,"tokens_purchased"?: number,"tokens_reserved"?: number,"tokens_used"?: number,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"holds_expire_at"?: string,"journal_balance"?: number,"journal_seq"?: number,"tokens_purchased"?: number,"tokens_reserved"?: number,"tokens_used"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                }
          }
          Views: {
            [_ in never]: never
          }
          Functions: {
            "activate_access_code":
{ Args: { "actor"?: string,"address"?: string,"code": string,"operation_id": string,"user_id": string }; Returns: {
              "failure": Json,"remaining": number,"replayed": boolean,"tokens_granted": number
            }[]
                           },
"add_tokens":
{ Args: { "actor"?: string,"amount": number,"description"?: string,"metadata"?: Json,"operation_id": string,"reference"?: string,"type": Database["public"]['Enums']["token_transaction_type"],"user_id": string }; Returns: {
              "added": number,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"calculate_charge":
{ Args: { "base_amount": number,"user_id": string }; Returns: {
              "amount": number,"multiplier": string
            }[]
                           },
"charge_tokens":
{ Args: { "actor"?: string,"amount": number,"description"?: string,"metadata"?: Json,"operation_id": string,"user_id": string }; Returns: {
              "charged": number,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"charge_tokens_batch":
{ Args: { "actor"?: string,"charges": Json }; Returns: {
              "charged": number,"error": Json,"operation_id": string,"remaining": number,"replayed": boolean,"transaction_id": string,"user_id": string
            }[]
                           },
"check_tokens":
{ Args: { "amount": number,"user_id": string }; Returns: {
              "allowed": boolean,"have": number,"need": number
            }[]
                           },
"create_access_codes":
{ Args: { "actor"?: string,"count": number,"email"?: string,"expires_at"?: string,"max_uses"?: number,"note"?: string,"on_top"?: boolean,"operation_id": string,"tokens_to_grant": number }; Returns: {
              "code": string,"code_hint": string,"id": string,"replayed": boolean
            }[]
                           },
"expire_token_holds":
{ Args: { "max_users"?: number }; Returns: number
                           },
"explain_balance":
{ Args: { "user_id": string }; Returns: {
              "amount": number,"created_at": string,"description": string,"line": number,"operation_id": string,"reference": string,"running_total": number,"source": string
            }[]
                           },
"get_token_balance":
{ Args: { "user_id": string }; Returns: {
              "admin_bonus": number,"approved_requests": number,"earned": number,"purchased": number,"remaining": number,"reserved": number,"total": number,"used": number
            }[]
                           },
"list_access_codes":
{ Args: { "before_created_at"?: string,"before_id"?: string,"page_size"?: number }; Returns: {
              "code_hint": string,"created_at": string,"created_by": string,"email": string,"expires_at": string,"id": string,"max_uses": number,"note": string,"on_top": boolean,"revoked_at": string,"tokens_to_grant": number,"uses": number
            }[]
                           },
"refund_tokens":
{ Args: { "actor"?: string,"amount"?: number,"charge_operation_id": string,"description"?: string,"metadata"?: Json,"operation_id": string,"user_id": string }; Returns: {
              "refunded": number,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"release_tokens":
{ Args: { "operation_id": string,"user_id": string }; Returns: {
              "hold_id": string,"released": number,"remaining": number,"replayed": boolean
            }[]
                           },
"reserve_tokens":
{ Args: { "amount": number,"description"?: string,"metadata"?: Json,"operation_id": string,"ttl_seconds"?: number,"user_id": string }; Returns: {
              "expires_at": string,"held": number,"hold_id": string,"remaining": number,"replayed": boolean
            }[]
                           },
"revoke_access_code":
{ Args: { "access_code_id": string }; Returns: {
              "id": string,"revoked_at": string
            }[]
                           },
"settle_tokens":
{ Args: { "actor"?: string,"amount"?: number,"operation_id": string,"user_id": string }; Returns: {
              "charged": number,"overdrawn": boolean,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"verify_ledger":
{ Args: Record<PropertyKey, never>; Returns: {
              "actual": number,"expected": number,"problem": string,"user_id": string
            }[]
                           }
          }
          Enums: {
            "token_account": "purchased"|"earned"|"admin_bonus"|"approved_requests"|"used","token_hold_status": "active"|"settled"|"released"|"expired","token_request_status": "pending"|"approved"|"rejected","token_transaction_type": "purchase"|"access_code"|"subscription"|"bonus"|"referral"|"request"|"add"|"charge"|"refund"|"clawback"|"adjustment"|"expire"
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            "token_account": ["purchased", "earned", "admin_bonus", "approved_requests", "used"],"token_hold_status": ["active", "settled", "released", "expired"],"token_request_status": ["pending", "approved", "rejected"],"token_transaction_type": ["purchase", "access_code", "subscription", "bonus", "referral", "request", "add", "charge", "refund", "clawback", "adjustment", "expire"]
          }
        }
} as const
