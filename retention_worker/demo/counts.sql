-- Rows of the reference schema by tenant and kind; a credential's kind is its name in the data map.
SELECT tenant_id, kind, count(*)
  FROM (SELECT transaction_id,
               CASE kind WHEN 'AUDIT' THEN 'audit screenshots' ELSE 'selfies and ID images' END
          FROM images
        UNION ALL SELECT transaction_id, 'extracted fields' FROM extracted_data
        UNION ALL SELECT transaction_id, 'face vectors' FROM face_vectors
        UNION ALL SELECT transaction_id, 'face templates' FROM face_templates
        UNION ALL SELECT transaction_id, 'verification results' FROM verification_results
                   WHERE outcome IS NOT NULL
        UNION ALL SELECT id, 'transactions' FROM transactions) AS of_transaction (id, kind)
  JOIN transactions USING (id)
 GROUP BY 1, 2
UNION ALL
SELECT tenant_id, kind, count(*)
  FROM (SELECT account_id, 'authentication vectors' FROM authentication_vectors
        UNION ALL SELECT account_id, 'authentications' FROM authentications
        UNION ALL SELECT id, 'accounts' FROM accounts) AS of_account (id, kind)
  JOIN accounts USING (id)
 GROUP BY 1, 2
